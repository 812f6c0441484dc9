"""The rules of `check`: problems in the data, and what `fit` does about each."""

import os

import numpy as np

from tfxfer.config.schema import BadImages
from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.groups import Groups
from tfxfer.data.checks.result import NAMED_GROUPS, Affected, Finding
from tfxfer.data.contents import found_in
from tfxfer.data.image.formats.recognition import EXTENSIONS
from tfxfer.data.image.formats.table import READ
from tfxfer.data.image.order import Places
from tfxfer.data.image.readability import reasons_unreadable
from tfxfer.data.labels.targets import images_of_each, occurring

# The center crop of an image with a larger aspect ratio shows less than a third of it.
_EXTREME_ASPECT = 3.0

# An image is tiny if its shorter side is below this fraction of the typical one.
_TINY_PART = 0.25

# Classes are imbalanced if the largest has more than this many times the images of the smallest.
_IMBALANCED = 3.0

# File name extensions by format.
_EXTENSIONS = {one.name: one.extensions for one in READ}

# The largest pixel value of an image with all samples in the lowest 1/16 of the range.
_DARKEST = 15


def findings_of(examples: Examples, bad_images: BadImages) -> tuple[Finding, ...]:
    """Returns the problems found in the data, those that stop `fit` first.

    Args:
        examples: All examples of the source.
        bad_images: What `fit` would do about unreadable images.
    """
    findings = [
        *_unreadable(examples, bad_images),
        *_exact_duplicates(examples),
        *_missing_classes(examples),
        *_near_duplicates(examples),
        *_misnamed(examples),
        *_shapes(examples),
        *_orientations(examples),
        *_dark(examples),
        # Labels of which an image has several do not share the images out among them, nor numbers.
        *([] if examples.source.special else _imbalance(examples)),
        *(_of_note(note) for note in examples.source.notes),
    ]
    return tuple(sorted(findings, key=lambda finding: not finding.blocks))


def _unreadable(examples: Examples, bad_images: BadImages) -> list[Finding]:
    bad = np.flatnonzero(~examples.readable)
    if not len(bad):
        return []
    # Reading the file again gives the reason.
    named = bad[:NAMED_GROUPS]
    reasons: dict[int, str] = {}
    for number, split in enumerate(examples.source.splits.values()):
        here = named[examples.splits[named] == number]
        found = reasons_unreadable(split, Places(examples.places[here]))
        reasons |= zip(here.tolist(), found, strict=True)
    skips = bad_images == "skip"
    action = (
        "leaves them out and lists them in skipped.csv"
        if skips
        else "stops; replace or remove them, or skip them with --bad-images skip"
    )
    message = _count(len(bad), "unreadable image")
    affected = examples.singly(bad, reasons.__getitem__)
    return [Finding("unreadable", message, action, not skips, affected)]


def _exact_duplicates(examples: Examples) -> list[Finding]:
    """Returns findings on images with the same content."""
    groups = Groups(examples.contents)
    duplicated = groups.sizes > 1
    duplicated[examples.contents[~examples.readable]] = False
    num_splits = groups.num_different(examples.splits)
    findings = []
    for kind, chosen, what, action in (
        (
            "conflicting labels",
            duplicated & (groups.num_different(examples.kinds) > 1),
            "exact duplicates with another label",
            "uses each label as given; correct the wrong one",
        ),
        (
            "duplicates across splits",
            duplicated & (num_splits > 1),
            "exact duplicates in another split",
            "leaves out of train what is also in validation or test, and out of validation what "
            "is also in test",
        ),
        (
            "duplicates",
            duplicated & (num_splits < groups.sizes),
            "exact duplicates in the same split",
            "uses all of them and keeps them in one split",
        ),
    ):
        if chosen.any():
            affected = examples.together(groups, chosen)
            has = "has" if affected.count == 1 else "have"
            message = f"{_count(affected.count, 'image')} {has} {what}"
            findings.append(Finding(kind, message, action, affected=affected))
    return findings


def _near_duplicates(examples: Examples) -> list[Finding]:
    """Returns findings on images that look alike but differ in content."""
    groups = Groups(examples.alike)
    alike = groups.num_different(examples.contents) > 1
    # In a group that spans splits, at least one pair of different files in different splits looks
    # alike: of a chain that links the splits, one link does.
    in_two = alike & (groups.num_different(examples.splits) > 1)
    differing = groups.num_different(examples.kinds) > 1
    findings = []
    for kind, where, chosen, action in (
        (
            "near duplicates in two splits",
            "across splits",
            in_two,
            "uses all of them; they can inflate the scores, so inspect them",
        ),
        (
            "near duplicates in one split",
            "within a split",
            alike & ~in_two,
            "uses all of them",
        ),
    ):
        if chosen.any():
            affected = examples.together(groups, chosen)
            message = (
                f"{_count(affected.count, 'group')} of near-duplicates {where}, "
                f"{affected.num_examples:,} images in total"
            )
            num_differing = int(np.count_nonzero(chosen & differing))
            if num_differing:
                message += f"; {_count(num_differing, 'group')} with more than one label"
            findings.append(Finding(kind, message, action, affected=affected))
    return findings


def _missing_classes(examples: Examples) -> list[Finding]:
    """Returns findings on classes without usable images in a split."""
    names, findings = examples.source.class_names, []
    for number, split in enumerate(examples.split_names):
        own = examples.splits == number
        later = examples.splits > number
        used = own & examples.readable
        used[used] = ~found_in(examples.digests[used], examples.digests[later])
        there = occurring(examples.labels[used])
        missing = [name for label, name in enumerate(names) if label not in there]
        if not missing:
            continue
        stops = split == "train" or not there
        action = "cannot evaluate these classes"
        if stops:
            action = "stops; add readable images that are in no other split"
        message = f"'{split}' has no usable images of {_count(len(missing), 'class')}"
        affected = Affected.singly(len(missing), missing.__getitem__)
        findings.append(Finding(f"classes missing in {split}", message, action, stops, affected))
    return findings


def _misnamed(examples: Examples) -> list[Finding]:
    """Returns findings on files whose extension does not match their format."""
    if examples.source.origin is not None:  # ids of examples are not file names
        return []
    facts, wrong = examples.facts, []
    for index in np.flatnonzero(examples.readable).tolist():
        extension = os.path.splitext(examples.name(index))[1].lower()
        kind = str(facts.formats[index])  # "" of images of other channels than RGB
        # A name without such an extension says nothing.
        if kind and extension in EXTENSIONS and extension not in _EXTENSIONS[kind]:
            wrong.append(index)
    if not wrong:
        return []
    message = f"{_count(len(wrong), 'file')} with an extension of another format"
    affected = examples.singly(np.array(wrong), lambda index: str(facts.formats[index]))
    action = "decodes them by content and ignores the extension"
    return [Finding("misnamed", message, action, affected=affected)]


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
            f"with an aspect ratio above {_EXTREME_ASPECT:g}:1",
            "uses the central part, or stretches them where a head does clearly better so; "
            "--fit-images pad keeps all of the image and its shape",
        ),
        (
            "tiny images",
            tiny,
            f"below {_TINY_PART:.0%} of the typical size",
            "upscales them",
        ),
    ):
        indices = np.flatnonzero(chosen)
        if len(indices):
            affected = examples.singly(
                indices, lambda index: f"{int(sides[index][1])} x {int(sides[index][0])}"
            )
            message = f"{_count(len(indices), 'image')} {what}"
            findings.append(Finding(kind, message, action, affected=affected))
    return findings


def _orientations(examples: Examples) -> list[Finding]:
    turned = np.flatnonzero(examples.facts.orientations > 1)
    if not len(turned):
        return []
    return [
        Finding(
            "orientation",
            f"{_count(len(turned), 'image')} with an EXIF orientation",
            "rotates them upright, as evaluate, predict and exports do",
            affected=examples.singly(turned),
        )
    ]


def _dark(examples: Examples) -> list[Finding]:
    """Returns a finding on nearly black images, such as 12-bit samples in 16-bit files."""
    dark = np.flatnonzero(examples.readable & (examples.facts.peaks <= _DARKEST))
    if not len(dark):
        return []
    return [
        Finding(
            "dark images",
            f"{_count(len(dark), 'image')} with all pixels in the lowest 1/16 of the range, "
            "typical of 12-bit samples in a 16-bit file",
            "keeps the upper 8 of 16 bits, so such images are nearly black; multiply 12-bit "
            "samples by 16, for example with `magick FILE -evaluate multiply 16 FILE`",
            affected=examples.singly(dark),
        )
    ]


def _imbalance(examples: Examples) -> list[Finding]:
    in_train = examples.splits == examples.split_names.index("train")
    labels = examples.labels[in_train & examples.readable]
    counts = images_of_each(labels, len(examples.source.class_names))
    there = np.flatnonzero(counts)
    if not len(there) or counts[there].max() <= _IMBALANCED * counts[there].min():
        return []
    names = examples.source.class_names
    most, least = there[counts[there].argmax()], there[counts[there].argmin()]
    return [
        Finding(
            "imbalance",
            f"classes are imbalanced: {counts[most]:,} images of '{names[most]}', "
            f"{counts[least]:,} of '{names[least]}'",
            "weights all images equally; --class-weights balanced weights all classes equally",
        )
    ]


def _of_note(note: str) -> Finding:
    """Returns a note from opening the data as a finding."""
    if note.startswith(("left out", "not used")):
        return Finding("left out", note, "does not use them")
    return Finding("assumed", note, "does the same")


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
