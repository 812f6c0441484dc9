"""Check: look at every image before time is spent on it, and say what is wrong with the data."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import BadImages
from tfxfer.data.groups import Groups
from tfxfer.data.image.formats.recognition import EXTENSIONS
from tfxfer.data.image.formats.table import READ
from tfxfer.data.image.inspection import Inspection, inspect, look_alikes
from tfxfer.data.image.order import Places
from tfxfer.data.image.readability import reasons_unreadable
from tfxfer.data.source import Source, shown
from tfxfer.data.splitting import found_in, inseparable

# The middle square of a picture whose sides differ by more than this shows less than a third of it.
_EXTREME_ASPECT = 3.0

# A picture whose shorter side is below this part of the typical one is tiny.
_TINY_PART = 0.25

# Rare classes are worth a word where the largest has so many times the examples of the smallest.
_UNEVEN = 3.0

# File name extensions by the format that they stand for.
_EXTENSIONS = {one.name: one.extensions for one in READ}

# The largest value in an image whose samples are in the lowest 1/16 of the range.
_DARKEST = 15

# How much of it the table for people shows.
_SHOWN_EXAMPLES, _SHOWN_CLASSES = 3, 20

_SHOWN_OF_GROUP = 5

# Of how many groups the JSON gives names, and how many of each: all are counted, but the names of
# a million images that look alike help no one.
_NAMED_GROUPS, _NAMED_OF_GROUP = 1000, 10


@dataclass(frozen=True)
class Affected:
    """What a finding is about: all are counted, the first few are named.

    Attributes:
        count: How many examples or, where they belong together, groups of them.
        num_examples: How many examples in all.
        named: The ids of some of them, each alone or with those it belongs together with.
        sizes: How many belong to each of those, named or not.
    """

    count: int = 0
    num_examples: int = 0
    named: tuple[tuple[str, ...], ...] = ()
    sizes: tuple[int, ...] = ()

    @classmethod
    def singly(cls, count: int, name: Callable[[int], str]) -> "Affected":
        """Returns so many, each alone.

        Args:
            count: How many there are.
            name: What each is called, by its place among them.
        """
        num_named = min(count, _NAMED_GROUPS)
        named = tuple((name(place),) for place in range(num_named))
        return cls(count, count, named, (1,) * num_named)

    def describe(self) -> list[str]:
        """Returns lines on the first of them."""
        lines = []
        for names, size in zip(
            self.named[:_SHOWN_EXAMPLES], self.sizes[:_SHOWN_EXAMPLES], strict=True
        ):
            line = " = ".join(names[:_SHOWN_OF_GROUP])
            others = size - min(len(names), _SHOWN_OF_GROUP)
            lines.append(f"{line} and {others:,} others" if others else line)
        if self.count > len(lines):
            lines.append(f"and {self.count - len(lines):,} more")
        return lines


@dataclass(frozen=True)
class Finding:
    """Something that one should know about the data.

    Attributes:
        kind: One word or two for machines: "unreadable", "duplicates across splits".
        message: What was found.
        action: What `fit` does about it.
        blocks: Whether `fit` would stop.
        affected: What it is about.
    """

    kind: str
    message: str
    action: str
    blocks: bool = False
    affected: Affected = Affected()

    @property
    def examples(self) -> tuple[tuple[str, ...], ...]:
        """The examples that are named, each alone or with those it belongs together with."""
        return self.affected.named


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
                    "count": finding.affected.count,
                    "num_examples": finding.affected.num_examples,
                    "examples": [list(group) for group in finding.affected.named],
                    "sizes": list(finding.affected.sizes),
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
            lines += [f"         {line}" for line in finding.affected.describe()]
            lines.append(f"       fit: {finding.action}")
        number = sum(finding.blocks for finding in self.findings)
        verdict = f"{number} of these would stop a fit." if number else "None of these stops a fit."
        return [*lines, "", verdict]


@dataclass(frozen=True)
class Examples:
    """All examples of all splits, one after the other."""

    source: Source
    splits: npt.NDArray[np.int8]  # their numbers
    places: npt.NDArray[np.int64]  # in the split
    labels: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint8]
    facts: Inspection

    @classmethod
    def of(cls, source: Source) -> "Examples":
        """Returns those of a source, each of which is read."""
        facts = [inspect(split, name) for name, split in source.splits.items()]
        names = vars(facts[0])
        together = {name: np.concatenate([getattr(one, name) for one in facts]) for name in names}
        return cls(
            source,
            np.repeat(
                np.arange(len(source.splits), dtype=np.int8),
                [len(split) for split in source.splits.values()],
            ),
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

    @functools.cached_property
    def split_names(self) -> tuple[str, ...]:
        """The names of the splits, by their numbers."""
        return tuple(self.source.splits)

    def name(self, index: int | np.integer[Any]) -> str:
        """Returns the id of an example."""
        split = self.source.splits[self.split_names[self.splits[index]]]
        return split.describe(int(self.places[index]))

    def singly(
        self, indices: npt.NDArray[np.int64], tell: Callable[[int], str] | None = None
    ) -> Affected:
        """Returns examples, each alone.

        Args:
            indices: Which.
            tell: What stands behind the id of one, by its index; None is nothing.
        """

        def name(place: int) -> str:
            index = int(indices[place])
            return self.name(index) + (f": {tell(index)}" if tell else "")

        return Affected.singly(len(indices), name)

    def together(self, groups: Groups, chosen: npt.NDArray[np.bool_]) -> Affected:
        """Returns some groups of examples, the largest first.

        Args:
            groups: All of them.
            chosen: Which, (num_groups,).
        """
        named = groups.largest_first(chosen)[:_NAMED_GROUPS]
        # Of a large group each split and class has its first example named.
        kinds = self.labels * len(self.split_names) + self.splits
        telling = (groups.telling(group, kinds, _NAMED_OF_GROUP) for group in named)
        return Affected(
            count=int(np.count_nonzero(chosen)),
            num_examples=int(groups.sizes[chosen].sum()),
            named=tuple(tuple(self.name(index) for index in members) for members in telling),
            sizes=tuple(groups.sizes[named].tolist()),
        )


def of_note(note: str) -> Finding:
    """Returns what opening the data has told, of what is left out or how the rest is read."""
    if note.startswith(("left out", "not used")):
        return Finding("left out", note, "does not use them")
    return Finding("assumed", note, "goes by that")


def unreadable(examples: Examples, bad_images: BadImages) -> list[Finding]:
    bad = np.flatnonzero(~examples.readable)
    if not len(bad):
        return []
    # The reason is found by reading the file again.
    named = bad[:_NAMED_GROUPS]
    reasons: dict[int, str] = {}
    for number, split in enumerate(examples.source.splits.values()):
        here = named[examples.splits[named] == number]
        found = reasons_unreadable(split, Places(examples.places[here]))
        reasons |= zip(here.tolist(), found, strict=True)
    skips = bad_images == "skip"
    action = (
        "leaves them out, and lists them in skipped.csv"
        if skips
        else "stops; replace or remove them, or leave them out with --bad-images skip"
    )
    message = f"{_count(len(bad), 'image')} cannot be read"
    affected = examples.singly(bad, reasons.__getitem__)
    return [Finding("unreadable", message, action, not skips, affected)]


def copies(examples: Examples) -> list[Finding]:
    """Returns what there is to say of images that are the same to the last bit."""
    groups = Groups(examples.contents)
    copied = groups.sizes > 1
    copied[examples.contents[~examples.readable]] = False
    num_splits = groups.num_different(examples.splits)
    findings = []
    for kind, chosen, what, action in (
        (
            "conflicting labels",
            copied & (groups.num_different(examples.labels) > 1),
            "copies of another label",
            "learns and judges by each label in its place; correct them, for one is wrong",
        ),
        (
            "duplicates across splits",
            copied & (num_splits > 1),
            "copies in more than one split",
            "leaves the copy out of train that is in validation or test, and out of validation "
            "what is in test",
        ),
        (
            "duplicates",
            copied & (num_splits < groups.sizes),
            "copies within a split",
            "uses all of them, and never divides them between splits",
        ),
    ):
        if chosen.any():
            affected = examples.together(groups, chosen)
            has = "has" if affected.count == 1 else "have"
            message = f"{_count(affected.count, 'image')} {has} {what}"
            findings.append(Finding(kind, message, action, affected=affected))
    return findings


def near_copies(examples: Examples) -> list[Finding]:
    """Returns what there is to say of images that look the same but are other files."""
    groups = Groups(look_alikes(examples.facts.looks, examples.facts.contrasts))
    alike = groups.num_different(examples.contents) > 1
    # A group in several splits has two other files in two of them that look the same: of a chain
    # that links the splits, one link does.
    in_two = alike & (groups.num_different(examples.splits) > 1)
    differing = groups.num_different(examples.labels) > 1
    findings = []
    for where, chosen, action in (
        (
            "in two splits",
            in_two,
            "uses all; a score on such images says little, so look at them",
        ),
        ("in one split", alike & ~in_two, "uses all"),
    ):
        if chosen.any():
            affected = examples.together(groups, chosen)
            message = (
                f"{_count(affected.count, 'group')} of images {where} look the same, "
                f"{affected.num_examples:,} images in all"
            )
            num_differing = int(np.count_nonzero(chosen & differing))
            if num_differing:
                message += f"; {_count(num_differing, 'group')} with more than one label"
            kind = f"near duplicates {where}"
            findings.append(Finding(kind, message, action, affected=affected))
    return findings


def missing_classes(examples: Examples) -> list[Finding]:
    """Returns what there is to say of classes of which a split has nothing that can be used."""
    names, findings = examples.source.class_names, []
    for number, split in enumerate(examples.split_names):
        own = examples.splits == number
        later = examples.splits > number
        used = own & examples.readable
        used[used] = ~found_in(examples.digests[used], examples.digests[later])
        there = set(examples.labels[used].tolist())
        missing = [name for label, name in enumerate(names) if label not in there]
        if not missing:
            continue
        stops = split == "train" or not there
        action = "cannot judge how it does on them"
        if stops:
            action = "stops; add images that can be read and are in no other split"
        message = f"'{split}' has no image of {_count(len(missing), 'class')} that can be used"
        affected = Affected.singly(len(missing), missing.__getitem__)
        findings.append(Finding(f"classes missing in {split}", message, action, stops, affected))
    return findings


def names(examples: Examples) -> list[Finding]:
    """Returns what there is to say of files that are of another format than their name says."""
    if examples.source.origin is not None:  # ids of examples are no names of files
        return []
    facts, wrong = examples.facts, []
    for index in np.flatnonzero(examples.readable).tolist():
        extension = os.path.splitext(examples.name(index))[1].lower()
        # A name without such an extension says nothing.
        if extension in EXTENSIONS and extension not in _EXTENSIONS[str(facts.formats[index])]:
            wrong.append(index)
    if not wrong:
        return []
    verb = "is" if len(wrong) == 1 else "are"
    message = f"{_count(len(wrong), 'file')} {verb} not what the name says"
    affected = examples.singly(np.array(wrong), lambda index: str(facts.formats[index]))
    return [Finding("misnamed", message, "reads them as what they are", affected=affected)]


def shapes(examples: Examples, source: Source) -> list[Finding]:
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
            affected = examples.singly(
                indices, lambda index: f"{int(sides[index][1])} x {int(sides[index][0])}"
            )
            message = f"{_count(len(indices), 'image')} {verb} {what}"
            findings.append(Finding(kind, message, action, affected=affected))
    return findings


def orientations(examples: Examples) -> list[Finding]:
    turned = np.flatnonzero(examples.facts.orientations > 1)
    if not len(turned):
        return []
    what = "has an EXIF orientation" if len(turned) == 1 else "have an EXIF orientation"
    return [
        Finding(
            "orientation",
            f"{_count(len(turned), 'image')} {what}",
            "turns them upright, as evaluate, predict and the export do",
            affected=examples.singly(turned),
        )
    ]


def dark(examples: Examples) -> list[Finding]:
    """Returns what there is to say of images that are all but black, as 12 of 16 bits are."""
    dark = np.flatnonzero(examples.readable & (examples.facts.peaks <= _DARKEST))
    if not len(dark):
        return []
    verb = "has" if len(dark) == 1 else "have"
    return [
        Finding(
            "dark images",
            f"{_count(len(dark), 'image')} {verb} all pixels in the lowest 1/16 of the range, as "
            "where samples of 12 bits are in a file of 16",
            "keeps the upper 8 of 16 bits, so that such images are nearly black; multiply samples "
            "of 12 bits by 16, for example with `magick FILE -evaluate multiply 16 FILE`",
            affected=examples.singly(dark),
        )
    ]


def imbalance(examples: Examples) -> list[Finding]:
    in_train = examples.splits == examples.split_names.index("train")
    labels = examples.labels[in_train & examples.readable]
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
