"""The rules of a check: what in the data is worth a word, and what a fit does about it."""

import os

import numpy as np

from tfxfer.config.schema import BadImages
from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.groups import Groups
from tfxfer.data.checks.result import NAMED_GROUPS, Affected, Finding
from tfxfer.data.contents import found_in
from tfxfer.data.image.formats.recognition import EXTENSIONS
from tfxfer.data.image.formats.table import READ
from tfxfer.data.image.inspection import look_alikes
from tfxfer.data.image.order import Places
from tfxfer.data.image.readability import reasons_unreadable

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


def findings_of(examples: Examples, bad_images: BadImages) -> tuple[Finding, ...]:
    """Returns what there is to say of data, what stops a fit first.

    Args:
        examples: All of them, looked at.
        bad_images: What `fit` would do about images that cannot be read.
    """
    findings = [
        *_unreadable(examples, bad_images),
        *_copies(examples),
        *_missing_classes(examples),
        *_near_copies(examples),
        *_misnamed(examples),
        *_shapes(examples),
        *_orientations(examples),
        *_dark(examples),
        *_imbalance(examples),
        *(_of_note(note) for note in examples.source.notes),
    ]
    return tuple(sorted(findings, key=lambda finding: not finding.blocks))


def _unreadable(examples: Examples, bad_images: BadImages) -> list[Finding]:
    bad = np.flatnonzero(~examples.readable)
    if not len(bad):
        return []
    # The reason is found by reading the file again.
    named = bad[:NAMED_GROUPS]
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


def _copies(examples: Examples) -> list[Finding]:
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


def _near_copies(examples: Examples) -> list[Finding]:
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


def _missing_classes(examples: Examples) -> list[Finding]:
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


def _misnamed(examples: Examples) -> list[Finding]:
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


def _shapes(examples: Examples) -> list[Finding]:
    sides = examples.facts.heights_widths.astype(np.float64)
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    extreme = examples.readable & (longer > _EXTREME_ASPECT * shorter)
    tiny = examples.readable & (shorter < _TINY_PART * min(examples.source.image_height_width))
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


def _orientations(examples: Examples) -> list[Finding]:
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


def _dark(examples: Examples) -> list[Finding]:
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


def _imbalance(examples: Examples) -> list[Finding]:
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


def _of_note(note: str) -> Finding:
    """Returns what opening the data has told, of what is left out or how the rest is read."""
    if note.startswith(("left out", "not used")):
        return Finding("left out", note, "does not use them")
    return Finding("assumed", note, "goes by that")


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
