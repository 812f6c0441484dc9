"""The rules of `check` for texts: problems in the data, and what `fit` does about each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfxfer.data.checks.result import Affected, CheckResult, Finding
from tfxfer.text.data.near_copies import near_copies
from tfxfer.text.data.source import LINE_BREAK, TextSource
from tfxfer.text.models.vocabulary import tokens_of

# Classes are imbalanced if the largest has more than this many times the texts of the smallest.
_IMBALANCED = 3.0

# A text of fewer words says little.
_FEW_WORDS = 3

# Words that a model reads unless `text.max_words` says otherwise.
_READ_WORDS = 400


class _Texts(NamedTuple):
    """All texts of data, split by split.

    Attributes:
        source: The data.
        texts: The texts.
        ids: Their ids.
        labels: Their classes, (num_texts,).
        splits: The number of the split of each, (num_texts,).
        digests: Of what each says, as bytes.
    """

    source: TextSource
    texts: list[str]
    ids: list[str]
    labels: npt.NDArray[np.int64]
    splits: npt.NDArray[np.int64]
    digests: list[bytes]


def check_texts(source: TextSource) -> CheckResult:
    """Returns the number of texts of each class and split, and the problems found in them.

    Args:
        source: Data in the splits they come with.
    """
    parts = list(source.splits.values())
    every = _Texts(
        source,
        [text for part in parts for text in part.texts],
        [one for part in parts for one in part.ids],
        np.concatenate([part.labels for part in parts]),
        np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        [bytes(row) for part in parts for row in part.digests()],
    )
    findings = [
        *_copies(every),
        *_near_copies(every),
        *_missing_classes(source),
        *_imbalance(source),
        *_lengths(every),
        *_line_breaks(every),
        *(Finding("left out", note, "does not use them") for note in source.notes),
    ]
    num_classes = len(source.class_names)
    return CheckResult(
        source.name,
        source.class_names,
        {
            name: np.bincount(part.labels, minlength=num_classes)
            for name, part in source.splits.items()
        },
        tuple(sorted(findings, key=lambda finding: not finding.blocks)),
        {name: len(part) for name, part in source.splits.items()},
    )


def _copies(every: _Texts) -> list[Finding]:
    """Returns findings on texts that say the same."""
    members: dict[bytes, list[int]] = {}
    for number, digest in enumerate(every.digests):
        members.setdefault(digest, []).append(number)
    groups = [group for group in members.values() if len(group) > 1]
    across = [group for group in groups if len(set(every.splits[group].tolist())) > 1]
    within = [group for group in groups if len(set(every.splits[group].tolist())) == 1]
    differing = [group for group in groups if len(set(every.labels[group].tolist())) > 1]
    return [
        *_of_groups(
            every,
            across,
            "duplicates across splits",
            "in several splits (case, punctuation and white space do not count)",
            "leaves them out of the earlier split",
        ),
        *_of_groups(every, within, "duplicates", "within a split", "keeps them in that split"),
        *_of_groups(
            every,
            differing,
            "contradictory labels",
            "with different labels",
            "trains on all of them; correct the labels, or remove the texts",
        ),
    ]


def _of_groups(
    every: _Texts, groups: Sequence[Sequence[int]], kind: str, where: str, action: str
) -> list[Finding]:
    if not groups:
        return []
    what = "1 text occurs" if len(groups) == 1 else f"{len(groups):,} texts occur"
    return [Finding(kind, f"{what} more than once {where}", action, False, _named(every, groups))]


def _named(every: _Texts, groups: Sequence[Sequence[int]]) -> Affected:
    return Affected.of_groups([[every.ids[number] for number in group] for group in groups])


def _near_copies(every: _Texts) -> list[Finding]:
    """Returns a finding on texts that are nearly the same, and not the same."""
    groups = [
        group.tolist()
        for group in near_copies(every.texts)
        if len({every.digests[number] for number in group}) > 1
    ]
    if not groups:
        return []
    across = sum(len(set(every.splits[group].tolist())) > 1 for group in groups)
    what = "1 group" if len(groups) == 1 else f"{len(groups):,} groups"
    return [
        Finding(
            "near copies",
            f"{what} of near copies, which share 80% of their phrases; {across:,} across splits",
            "may split them between train and test, which flatters the model; "
            "--group-near-copies keeps them together",
            False,
            _named(every, groups),
        )
    ]


def _missing_classes(source: TextSource) -> list[Finding]:
    """Returns findings on classes without texts to train on, and on too few classes."""
    if "train" not in source.splits:
        message = f"no texts to train on, only {', '.join(source.splits)}"
        return [Finding("no train split", message, "stops; add texts to train on", True)]
    counts = np.bincount(source.splits["train"].labels, minlength=len(source.class_names))
    missing = np.flatnonzero(counts == 0)
    findings = []
    if np.count_nonzero(counts) < 2:
        message = "texts of 1 class to train on"
        findings.append(Finding("one class", message, "stops; it needs at least 2", True))
    if len(missing):
        names = Affected.singly(len(missing), lambda place: source.class_names[missing[place]])
        message = f"{_have(len(missing), 'class', 'classes')} no texts to train on"
        action = "never predicts them; add texts, or remove the classes"
        findings.append(Finding("missing classes", message, action, False, names))
    return findings


def _imbalance(source: TextSource) -> list[Finding]:
    if "train" not in source.splits:
        return []
    counts = np.bincount(source.splits["train"].labels, minlength=len(source.class_names))
    present = counts[counts > 0]
    if len(present) < 2 or present.max() <= _IMBALANCED * present.min():
        return []
    large, small = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max()).argmin())
    return [
        Finding(
            "imbalance",
            f"imbalanced classes: '{source.class_names[large]}' has {counts[large]:,} texts to "
            f"train on, '{source.class_names[small]}' has {counts[small]:,}",
            "weights all texts equally; consider --class-weights balanced",
        )
    ]


def _lengths(every: _Texts) -> list[Finding]:
    """Returns findings on very short texts, and on those that are truncated."""
    words = np.array([len(tokens_of(text)) for text in every.texts], np.int64)
    short, long = np.flatnonzero(words < _FEW_WORDS), np.flatnonzero(words > _READ_WORDS)
    findings = []
    if len(short):
        message = f"{_have(len(short), 'text')} fewer than {_FEW_WORDS} words"
        affected = _singly(every, short)
        findings.append(Finding("short texts", message, "trains on them", False, affected))
    if len(long):
        median, high = np.quantile(words, [0.5, 0.95]).round().astype(int)
        message = (
            f"{len(long) / len(words):.1%} of the texts have more than {_READ_WORDS} words "
            f"(median {median:,}, 95% quantile {high:,})"
        )
        action = f"reads the first {_READ_WORDS} words of each; --text-max-words reads more"
        findings.append(Finding("long texts", message, action))
    return findings


def _line_breaks(every: _Texts) -> list[Finding]:
    found = [
        number for number, text in enumerate(every.texts) if LINE_BREAK.search(text) is not None
    ]
    if not found:
        return []
    message = f"{_have(len(found), 'text')} line breaks of HTML"
    action = "reads them as white space"
    return [Finding("HTML line breaks", message, action, False, _singly(every, found))]


def _have(count: int, noun: str, plural: str = "") -> str:
    """Returns the beginning of a sentence on what some have."""
    return f"1 {noun} has" if count == 1 else f"{count:,} {plural or noun + 's'} have"


def _singly(every: _Texts, numbers: Sequence[int] | npt.NDArray[np.int64]) -> Affected:
    return Affected.singly(len(numbers), lambda place: every.ids[numbers[place]])
