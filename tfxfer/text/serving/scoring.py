"""Evaluates a classifier of texts on a split."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfxfer.errors import DataError, UsageError
from tfxfer.evaluation.one_label import evaluate_classes
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.text.data.record import unseen
from tfxfer.text.data.source import TextSource, TextSplit
from tfxfer.text.serving.loading import TrainedTexts

UNIT = "texts"


@dataclasses.dataclass(frozen=True)
class Scored:
    """Texts with what a model makes of them.

    Attributes:
        result: The metrics.
        ids: The ids of the texts, in the order of the result.
        texts: The texts.
    """

    result: EvaluationResult
    ids: tuple[str, ...]
    texts: tuple[str, ...]


def score_texts(
    trained: TrainedTexts,
    source: TextSource,
    split: str | None,
    *,
    is_own: bool,
    batch_size: int = 64,
) -> Scored:
    """Evaluates a loaded classifier on a split.

    Args:
        trained: The classifier.
        source: Data opened for it.
        split: "train", "validation", "test" or "all"; None takes "test", or "validation" if there
            is none, or else "all".
        is_own: Whether the data are those of its run. From others, texts that it was trained on
            are left out.
        batch_size: Texts per step.

    Raises:
        UsageError: There is no such split.
        DataError: The model was trained on all texts of it.
    """
    name = split or next((one for one in ("test", "validation") if one in source.splits), "all")
    parts = _parts(source, name)
    notes: list[str] = []
    if not is_own:
        parts, notes = _without_seen(trained, source, parts, name)
    places = trained.labels_of(source)
    texts = tuple(text for part in parts.values() for text in part.texts)
    labels = np.concatenate([places[part.labels] for part in parts.values()])
    result = evaluate_classes(
        source.name,
        name,
        trained.class_names,
        trained.predict(texts, batch_size),
        labels,
        (*(() if is_own else source.notes), *notes),
        UNIT,
    )
    ids = tuple(one for part in parts.values() for one in part.ids)
    return Scored(result, ids, texts)


def _parts(source: TextSource, name: str) -> dict[str, TextSplit]:
    if name == "all":
        return dict(source.splits)
    if name not in source.splits:
        raise UsageError(
            f"'{source.name}' has no split '{name}'; it has {', '.join(source.splits)}."
        )
    return {name: source.splits[name]}


def _without_seen(
    trained: TrainedTexts, source: TextSource, parts: Mapping[str, TextSplit], name: str
) -> tuple[dict[str, TextSplit], list[str]]:
    """Returns the parts without texts that the model was trained on, and a note on these."""
    seen = trained.seen()
    if seen is None:
        return dict(parts), ["it is not known which texts the model was trained on"]
    found = {split: unseen(part, seen) for split, part in parts.items()}
    count = sum(number for _, number in found.values())
    kept = {split: part for split, (part, _) in found.items() if len(part)}
    if not kept:
        raise DataError(f"The model was trained on every text of '{source.name}' ({name}).")
    return kept, [f"left out {count:,} texts that the model was trained on"] if count else []
