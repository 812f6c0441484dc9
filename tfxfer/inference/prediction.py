"""The prediction for one file, as a line of a table, a record and JSON."""

import itertools
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import LABEL_SEPARATOR
from tfxfer.data.labels.numbers import readable
from tfxfer.inference.caution import Judged

# The columns of a cautious model.
_DOUBT = ("unknown", "unknown_score", "set")


@dataclass(frozen=True)
class Doubt:
    """What a cautious model says of a file besides its classes.

    Attributes:
        unknown: Whether it is unknown: unlike the training images.
        score: Its distance to them, from 0.
        in_set: The classes of its prediction set, the most probable first; there may be none.
    """

    unknown: bool
    score: float
    in_set: tuple[str, ...]


def doubt_of(
    judged: Judged, place: int, probabilities: npt.NDArray[np.float32], names: Sequence[str]
) -> Doubt:
    """Returns what is said of one of several images.

    Args:
        judged: What is said of all.
        place: Of the image among them.
        probabilities: Of its classes, (num_classes,).
        names: Of the classes.
    """
    order = np.argsort(-probabilities, kind="stable")
    in_set = order[judged.in_set[place][order]]
    unknown, score = bool(judged.unknown[place]), float(judged.score[place])
    return Doubt(unknown, score, tuple(names[index] for index in in_set))


@dataclass(frozen=True)
class Prediction:
    """The prediction for one file.

    Attributes:
        path: The image file; text where it is a URL.
        ranked: The most probable classes with their probabilities, the first one first; empty
            where the file could not be read. For multi-label data, those whose probability is at
            least their threshold, of which there may be none.
        error: Why the file could not be read, or the empty string.
        has_several_labels: Whether the file may have several labels, or has one class.
        doubt: What else a cautious model says of it; None for others, and for unreadable files.
        tasks: The tasks, of each of which `ranked` has the most probable class, in their order;
            empty where there are none.
        target: What the number of the file is of; empty where it has classes.
        value: The predicted number; None for others, and for unreadable files.
    """

    path: pathlib.Path | str
    ranked: tuple[tuple[str, float], ...]
    error: str = ""
    has_several_labels: bool = False
    doubt: Doubt | None = None
    tasks: tuple[str, ...] = ()
    target: str = ""
    value: float | None = None

    @property
    def is_special(self) -> bool:
        """Whether the file has anything but one class."""
        return bool(self.has_several_labels or self.tasks or self.target)

    @property
    def of_tasks(self) -> dict[str, tuple[str, float]]:
        """The class of each task with its probability; empty where the file could not be read."""
        return dict(zip(self.tasks, self.ranked, strict=False))


def columns(top: int, first: Prediction | None = None, is_cautious: bool = False) -> list[str]:
    """Returns the columns: `label` and `probability` of the first class, or those of all labels.

    Those of a cautious model also have `unknown`, `unknown_score` and `set`.

    Args:
        top: Maximum number of classes per file.
        first: A prediction, of the same kind as all others.
        is_cautious: Whether the model is cautious.
    """
    if first is not None and first.tasks:
        ours = [name for task in first.tasks for name in (task, f"{task}_probability")]
        return ["path", *ours, "error"]
    if first is not None and first.target:
        return ["path", "value", "error"]
    if first is not None and first.has_several_labels:
        return ["path", "labels", "probabilities", "error"]
    ranked = [
        f"{name}{'' if place == 1 else f'_{place}'}"
        for place in range(1, top + 1)
        for name in ("label", "probability")
    ]
    return ["path", *ranked, *(_DOUBT if is_cautious else ()), "error"]


def row(prediction: Prediction, names: Sequence[str]) -> list[Any]:
    """Returns the values of the columns, None where there is none.

    Args:
        prediction: Of a file.
        names: The columns.
    """
    path, error = str(prediction.path), prediction.error or None
    if prediction.tasks:
        told: list[Any] = [value for pair in prediction.ranked for value in pair]
        return [path, *(told or [None] * (2 * len(prediction.tasks))), error]
    if prediction.target:
        return [path, prediction.value, error]
    if prediction.has_several_labels:
        if error is not None:
            return [path, None, None, error]
        names = LABEL_SEPARATOR.join(name for name, _ in prediction.ranked)
        shares = LABEL_SEPARATOR.join(f"{share:.6g}" for _, share in prediction.ranked)
        return [path, names, shares, None]
    ranked: list[Any] = [value for pair in prediction.ranked for value in pair]
    doubt: list[Any] = []
    if "unknown" in names:
        doubt = [None] * len(_DOUBT)
        if prediction.doubt is not None:
            one = prediction.doubt
            doubt = [one.unknown, one.score, LABEL_SEPARATOR.join(one.in_set)]
    ranked += [None] * (len(names) - 2 - len(doubt) - len(ranked))
    return [path, *ranked, *doubt, error]


def table_line(prediction: Prediction) -> str:
    """Returns a line of text; unprintable characters are escaped."""
    ranked = "  ".join(f"{_shown(label)} {share:.4f}" for label, share in prediction.ranked)
    if prediction.tasks:
        ranked = "  ".join(
            f"{_shown(task)} {_shown(label)} {share:.4f}"
            for task, (label, share) in prediction.of_tasks.items()
        )
    if prediction.value is not None:
        ranked = f"{_shown(prediction.target)} {readable(prediction.value)}"
    line = f"{_shown(str(prediction.path))}  {ranked or 'no label'}"
    if prediction.doubt is None:
        return line
    one = prediction.doubt
    known = f"{'unknown' if one.unknown else 'known'} ({one.score:.4f})"
    return f"{line}  {known}  {{{', '.join(map(_shown, one.in_set))}}}"


def as_json(prediction: Prediction) -> str:
    """Returns a line of JSON: path, label, probability and ranked, or path and error.

    Of several labels it has path and labels, each with its label and probability. Of several tasks
    it has path and tasks: the label and probability by the name of the task. Of a number it has
    path and value.
    """
    content: dict[str, Any] = {"path": str(prediction.path)}
    if prediction.error:
        content["error"] = prediction.error
    elif prediction.target:
        content["value"] = prediction.value
    elif prediction.tasks:
        content["tasks"] = {
            task: {"label": name, "probability": share}
            for task, (name, share) in prediction.of_tasks.items()
        }
    elif prediction.has_several_labels:
        content["labels"] = [
            {"label": name, "probability": share} for name, share in prediction.ranked
        ]
    else:
        label, probability = prediction.ranked[0]
        ranked = [{"label": name, "probability": share} for name, share in prediction.ranked]
        content |= {"label": label, "probability": probability, "ranked": ranked}
        if prediction.doubt is not None:
            one = prediction.doubt
            content |= {"unknown": one.unknown, "unknown_score": one.score, "set": [*one.in_set]}
    # Escapes serve names that are no UTF-8, too.
    return json.dumps(content)


def with_columns(
    predictions: Iterable[Prediction], top: int
) -> tuple[Iterator[Prediction], list[str]]:
    """Returns the same predictions, and the columns that they have.

    Args:
        predictions: Of one model.
        top: Maximum number of classes per file.
    """
    waiting = iter(predictions)
    first = []
    # An unreadable file does not say what the model says of others.
    for one in waiting:
        first.append(one)
        if not one.error or one.is_special:
            break
    is_cautious = any(one.doubt is not None for one in first)
    names = columns(top, first[-1] if first else None, is_cautious)
    return itertools.chain(first, waiting), names


def _shown(text: str) -> str:
    """Returns a name on one line: control characters escaped, all else as it is."""
    return "".join(
        character
        if character.isprintable() or "\udc80" <= character <= "\udcff"
        else character.encode("unicode_escape").decode()
        for character in text
    )
