"""Check: look at every image before time is spent on it, and say what is wrong with the data."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.config import BadImages, RunConfig
from tfxfer.images import EXTENSIONS
from tfxfer.images.formats import READ
from tfxfer.inspection import Inspection, inspect, near_duplicates
from tfxfer.pipeline import reasons_unreadable
from tfxfer.sources import Source, open_as_it_is
from tfxfer.sources.carving import found_in, inseparable
from tfxfer.sources.source import shown

# The middle square of a picture whose sides differ by more than this shows less than a third of it.
_EXTREME_ASPECT = 3.0

# A picture whose shorter side is below this part of the typical one is tiny.
_TINY_PART = 0.25

# Rare classes are worth a word where the largest has so many times the examples of the smallest.
_UNEVEN = 3.0

# File name extensions by the format that they stand for.
_EXTENSIONS = {one.name: one.extensions for one in READ}

# How much of it the table for people shows.
_SHOWN_EXAMPLES, _SHOWN_CLASSES = 3, 20


@dataclass(frozen=True)
class Finding:
    """Something that one should know about the data.

    Attributes:
        kind: One word or two for machines: "unreadable", "duplicates across splits".
        message: What was found.
        action: What `fit` does about it.
        blocks: Whether `fit` would stop.
        examples: Every example that it is about, each alone or with those it belongs together with.
    """

    kind: str
    message: str
    action: str
    blocks: bool = False
    examples: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """What was found out about data.

    Attributes:
        data: Their name.
        class_names: In the order of their numbers.
        counts: How many readable examples each split has of each class.
        findings: The worst first.
    """

    data: str
    class_names: tuple[str, ...]
    counts: Mapping[str, npt.NDArray[np.int64]]
    findings: tuple[Finding, ...]

    @property
    def blocks(self) -> bool:
        """Whether `fit` would stop."""
        return any(finding.blocks for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Returns all of it as JSON can write it."""
        return {
            "data": self.data,
            "blocks": self.blocks,
            "splits": {
                name: {
                    "num_examples": int(counts.sum()),
                    "classes": dict(zip(self.class_names, counts.tolist(), strict=True)),
                }
                for name, counts in self.counts.items()
            },
            "findings": [
                {
                    "kind": finding.kind,
                    "blocks": finding.blocks,
                    "message": finding.message,
                    "action": finding.action,
                    "examples": [list(group) for group in finding.examples],
                }
                for finding in self.findings
            ],
        }

    def describe(self) -> str:
        """Returns it as a person reads it: a table of the examples, then the findings."""
        return "\n".join([*self._table(), "", *self._findings()])

    def _table(self) -> list[str]:
        names = [shown(name) for name in self.class_names[:_SHOWN_CLASSES]]
        width = max(len(name) for name in (*names, "all classes", self.data)) + 2
        lines = [f"{self.data:{width}s}" + "".join(f"{name:>12s}" for name in self.counts)]
        for label, name in enumerate(names):
            numbers = "".join(f"{counts[label]:12,d}" for counts in self.counts.values())
            lines.append(f"{name:{width}s}{numbers}")
        if len(names) < len(self.class_names):
            lines.append(f"... and {len(self.class_names) - len(names):,} classes more")
        totals = "".join(f"{counts.sum():12,d}" for counts in self.counts.values())
        return [*lines, f"{'all classes':{width}s}{totals}"]

    def _findings(self) -> list[str]:
        if not self.findings:
            return ["Nothing to complain of."]
        lines = []
        for finding in self.findings:
            lines.append(f"{'STOPS' if finding.blocks else 'note '}  {finding.message}")
            lines += [f"         {' = '.join(e)}" for e in finding.examples[:_SHOWN_EXAMPLES]]
            if len(finding.examples) > _SHOWN_EXAMPLES:
                lines.append(f"         and {len(finding.examples) - _SHOWN_EXAMPLES:,} more")
            lines.append(f"       fit: {finding.action}")
        number = sum(finding.blocks for finding in self.findings)
        verdict = f"{number} of these would stop a fit." if number else "None of these stops a fit."
        return [*lines, "", verdict]


def check(
    data: str, *, data_dir: str | None = None, bad_images: BadImages = "error"
) -> CheckResult:
    """Returns what there is to say about data: every image of every split is read and decoded.

    Args:
        data: As for `fit`.
        data_dir: Where TFDS data lie.
        bad_images: What `fit` would be told to do about images that cannot be read, "error" or
            "skip".

    Raises:
        UsageError: There are no such data, or they are not laid out as a classifier needs them.
        DataError: They are known, but neither here nor to be had.
    """
    config = RunConfig(data=data, data_dir=data_dir, bad_images=bad_images)
    source = open_as_it_is(config.data, config.data_dir)
    examples = _Examples.of(source)
    findings = [
        *_unreadable(examples, bad_images),
        *_copies(examples),
        *_missing_classes(examples),
        *_near_copies(examples),
        *_names(examples),
        *_shapes(examples, source),
        *_orientations(examples),
        *_imbalance(examples),
        *(Finding("left out", note, "does not use them") for note in source.notes),
    ]
    findings.sort(key=lambda finding: not finding.blocks)
    counts = {
        name: np.bincount(
            examples.labels[examples.readable & (examples.splits == name)],
            minlength=len(source.class_names),
        )
        for name in source.splits
    }
    return CheckResult(source.name, source.class_names, counts, tuple(findings))


@dataclass(frozen=True)
class _Examples:
    """All examples of all splits, one after the other."""

    source: Source
    splits: npt.NDArray[np.str_]
    places: npt.NDArray[np.int64]  # in the split
    labels: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint8]
    facts: Inspection

    @classmethod
    def of(cls, source: Source) -> "_Examples":
        """Returns those of a source, each of which is read."""
        facts = [inspect(split, name) for name, split in source.splits.items()]
        names = vars(facts[0])
        together = {name: np.concatenate([getattr(one, name) for one in facts]) for name in names}
        return cls(
            source,
            np.concatenate([[name] * len(split) for name, split in source.splits.items()]),
            np.concatenate([np.arange(len(split)) for split in source.splits.values()]),
            np.concatenate([split.labels for split in source.splits.values()]),
            np.concatenate([split.digests() for split in source.splits.values()]),
            Inspection(**together),
        )

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which of them can be read."""
        return self.facts.readable

    @functools.cached_property
    def contents(self) -> npt.NDArray[np.int64]:
        """A number for each content: copies of an image have the same."""
        return inseparable(self.digests)

    def name(self, index: int | np.integer[Any]) -> str:
        """Returns the id of an example."""
        return self.source.splits[str(self.splits[index])].describe(int(self.places[index]))

    def together(self, groups: Iterable[npt.NDArray[np.int64]]) -> tuple[tuple[str, ...], ...]:
        """Returns the ids of groups of examples."""
        return tuple(tuple(self.name(index) for index in group) for group in groups)


def _unreadable(examples: _Examples, bad_images: BadImages) -> list[Finding]:
    bad = np.flatnonzero(~examples.readable)
    if not len(bad):
        return []
    named: list[tuple[str, ...]] = []
    for name, split in examples.source.splits.items():
        places = examples.places[bad[examples.splits[bad] == name]]
        for place, reason in zip(places, reasons_unreadable(split, places), strict=True):
            named.append((f"{split.describe(int(place))}: {reason}",))
    skips = bad_images == "skip"
    action = (
        "leaves them out, and lists them in skipped.csv"
        if skips
        else "stops; replace or remove them, or leave them out with --bad-images skip"
    )
    message = f"{_count(len(bad), 'image')} cannot be read"
    return [Finding("unreadable", message, action, not skips, tuple(named))]


def _copies(examples: _Examples) -> list[Finding]:
    """Returns what there is to say of images that are the same to the last bit."""
    order = np.argsort(examples.contents, kind="stable")
    starts = np.flatnonzero(np.diff(examples.contents[order], prepend=-1))
    groups = [group for group in np.split(order, starts[1:]) if len(group) > 1]
    groups = [group for group in groups if examples.readable[group].all()]
    across = [group for group in groups if len(set(examples.splits[group])) > 1]
    conflicting = [group for group in groups if len(set(examples.labels[group])) > 1]
    within = [g for g in groups if len(set(examples.splits[g])) < len(g)]
    findings = []
    if conflicting:
        findings.append(
            Finding(
                "conflicting labels",
                f"{_count(len(conflicting), 'image')} {_has(conflicting)} copies of another label",
                "learns and judges by each label in its place; correct them, for one is wrong",
                examples=examples.together(conflicting),
            )
        )
    if across:
        findings.append(
            Finding(
                "duplicates across splits",
                f"{_count(len(across), 'image')} {_has(across)} copies in more than one split",
                "leaves the copy out of train that is in validation or test, and out of validation "
                "what is in test",
                examples=examples.together(across),
            )
        )
    if within:
        findings.append(
            Finding(
                "duplicates",
                f"{_count(len(within), 'image')} {_has(within)} copies within a split",
                "uses all of them, and never divides them between splits",
                examples=examples.together(within),
            )
        )
    return findings


def _near_copies(examples: _Examples) -> list[Finding]:
    """Returns what there is to say of images that look the same but are other files."""
    pairs = near_duplicates(examples.facts.looks, examples.facts.contrasts)
    pairs = pairs[examples.contents[pairs[:, 0]] != examples.contents[pairs[:, 1]]]
    in_two = examples.splits[pairs[:, 0]] != examples.splits[pairs[:, 1]]
    findings = []
    for where, chosen, action in (
        (
            "in two splits",
            pairs[in_two],
            "uses both; a score on such images says little, so look at them",
        ),
        ("in one split", pairs[~in_two], "uses both"),
    ):
        if len(chosen):
            findings.append(
                Finding(
                    f"near duplicates {where}",
                    f"{_count(len(chosen), 'pair')} of images {where} look the same",
                    action,
                    examples=examples.together(chosen),
                )
            )
    return findings


def _missing_classes(examples: _Examples) -> list[Finding]:
    """Returns what there is to say of classes of which a split has nothing that can be used."""
    names, findings, splits = examples.source.class_names, [], list(examples.source.splits)
    for place, split in enumerate(splits):
        own = examples.splits == split
        later = np.isin(examples.splits, splits[place + 1 :])
        used = own & examples.readable
        used[used] = ~found_in(examples.digests[used], examples.digests[later])
        there = set(examples.labels[used].tolist())
        missing = tuple((name,) for label, name in enumerate(names) if label not in there)
        if not missing:
            continue
        stops = split == "train" or not there
        action = "cannot judge how it does on them"
        if stops:
            action = "stops; add images that can be read and are in no other split"
        message = f"'{split}' has no image of {_count(len(missing), 'class')} that can be used"
        findings.append(Finding(f"classes missing in {split}", message, action, stops, missing))
    return findings


def _names(examples: _Examples) -> list[Finding]:
    """Returns what there is to say of files that are of another format than their name says."""
    if examples.source.origin is not None:  # ids of examples are no names of files
        return []
    wrong = []
    for index in np.flatnonzero(examples.readable):
        kind, name = str(examples.facts.formats[index]), examples.name(index)
        extension = os.path.splitext(name)[1].lower()
        # A name without such an extension says nothing.
        if extension in EXTENSIONS and extension not in _EXTENSIONS[kind]:
            wrong.append((f"{name}: {kind}",))
    if not wrong:
        return []
    verb = "is" if len(wrong) == 1 else "are"
    message = f"{_count(len(wrong), 'file')} {verb} not what the name says"
    return [Finding("misnamed", message, "reads them as what they are", examples=tuple(wrong))]


def _shapes(examples: _Examples, source: Source) -> list[Finding]:
    sides = examples.facts.heights_widths.astype(np.float64)
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    extreme = examples.readable & (longer > _EXTREME_ASPECT * shorter)
    tiny = examples.readable & (shorter < _TINY_PART * min(source.image_height_width))
    findings = []
    for kind, chosen, what, action in (
        (
            "extreme shapes",
            extreme,
            f"more than {_EXTREME_ASPECT:g} times as long as wide, or as wide as long",
            "uses the middle square, and loses the rest",
        ),
        (
            "tiny images",
            tiny,
            f"less than {_TINY_PART:.0%} of the typical size",
            "enlarges them",
        ),
    ):
        indices = np.flatnonzero(chosen)
        if len(indices):
            verb = "is" if len(indices) == 1 else "are"
            named = tuple(
                (f"{examples.name(i)}: {int(sides[i][1])} x {int(sides[i][0])}",) for i in indices
            )
            message = f"{_count(len(indices), 'image')} {verb} {what}"
            findings.append(Finding(kind, message, action, examples=named))
    return findings


def _orientations(examples: _Examples) -> list[Finding]:
    turned = np.flatnonzero(examples.facts.orientations > 1)
    if not len(turned):
        return []
    what = "has an EXIF orientation" if len(turned) == 1 else "have an EXIF orientation"
    return [
        Finding(
            "orientation",
            f"{_count(len(turned), 'image')} {what}",
            "turns them upright, as evaluate, predict and the export do",
            examples=examples.together(turned[:, np.newaxis]),
        )
    ]


def _imbalance(examples: _Examples) -> list[Finding]:
    labels = examples.labels[(examples.splits == "train") & examples.readable]
    counts = np.bincount(labels, minlength=len(examples.source.class_names))
    there = np.flatnonzero(counts)
    if not len(there) or counts[there].max() <= _UNEVEN * counts[there].min():
        return []
    names = examples.source.class_names
    most, least = there[counts[there].argmax()], there[counts[there].argmin()]
    return [
        Finding(
            "imbalance",
            f"classes are uneven: {counts[most]:,} images of '{names[most]}', {counts[least]:,} of "
            f"'{names[least]}'",
            "counts each image the same; with --class-weights balanced each class",
        )
    ]


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _has(groups: Sequence[Any]) -> str:
    return "has" if len(groups) == 1 else "have"
