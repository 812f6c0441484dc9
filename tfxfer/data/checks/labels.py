"""The rules of `check` for images that may have several labels, or a class of several tasks."""

import numpy as np

from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.result import Affected, Finding
from tfxfer.data.labels.tasks import MISSING, Tasks


def findings_of_labels(examples: Examples) -> list[Finding]:
    """Returns findings on how several labels occur together, and on those that are not known.

    There are none where an image has one class.

    Args:
        examples: All examples of the source.
    """
    if not examples.source.has_several_labels:
        return []
    if examples.source.tasks is not None:
        return [*_missing(examples, examples.source.tasks), *_implied(examples)]
    in_train = examples.splits == examples.split_names.index("train")
    labels = examples.labels[in_train & examples.readable]
    return [*_always_together(examples, labels), *_always(examples, labels), *_unknown(examples)]


def _always_together(examples: Examples, labels: np.ndarray) -> list[Finding]:
    """Returns a finding on pairs of labels that no training image tells apart."""
    names, has = examples.source.class_names, labels == 1
    both_known = ~np.isnan(labels)
    pairs = []
    for one in range(len(names)):
        for other in range(one + 1, len(names)):
            known = both_known[:, one] & both_known[:, other]
            same = has[known, one] == has[known, other]
            if same.all() and has[known, one].any():
                pairs.append(f"{names[one]} and {names[other]}")
    if not pairs:
        return []
    what = "1 pair of labels" if len(pairs) == 1 else f"{len(pairs):,} pairs of labels"
    return [
        Finding(
            "labels always together",
            f"{what} that always occur together in train",
            "learns them as one; merge them, or add images that have one of them",
            affected=Affected.singly(len(pairs), pairs.__getitem__),
        )
    ]


def _always(examples: Examples, labels: np.ndarray) -> list[Finding]:
    """Returns a finding on labels that all training images have."""
    known = ~np.isnan(labels)
    always = np.flatnonzero(((labels == 1) | ~known).all(axis=0) & known.any(axis=0))
    names = [examples.source.class_names[place] for place in always]
    if not names:
        return []
    what = "1 label" if len(names) == 1 else f"{len(names):,} labels"
    return [
        Finding(
            "labels of all images",
            f"{what} that all training images have",
            "always predicts them; leave them out, or add images without them",
            affected=Affected.singly(len(names), names.__getitem__),
        )
    ]


def _unknown(examples: Examples) -> list[Finding]:
    """Returns a finding on labels that are not known."""
    unknown = np.isnan(examples.labels)
    if not unknown.any():
        return []
    counts = unknown.sum(axis=0)
    names = [
        f"{examples.source.class_names[place]}: {counts[place]:,}"
        for place in np.flatnonzero(counts)
    ]
    num_images = int(np.count_nonzero(unknown.any(axis=1)))
    images = "1 image" if num_images == 1 else f"{num_images:,} images"
    labels = "1 label" if counts.sum() == 1 else f"{int(counts.sum()):,} labels"
    return [
        Finding(
            "unknown labels",
            f"{labels} of {images} {'is' if counts.sum() == 1 else 'are'} unknown",
            "leaves them out of the loss and of the metrics",
            affected=Affected.singly(len(names), names.__getitem__),
        )
    ]


def _missing(examples: Examples, tasks: Tasks) -> list[Finding]:
    """Returns a finding on the labels of tasks that are missing."""
    counts = (tasks.chosen(examples.labels) == MISSING).sum(axis=0)
    if not counts.any():
        return []
    names = [f"{tasks.names[place]}: {counts[place]:,}" for place in np.flatnonzero(counts)]
    total = int(counts.sum())
    return [
        Finding(
            "missing labels",
            f"{total:,} {'label is' if total == 1 else 'labels are'} missing",
            "leaves them out of the loss and of the metrics",
            affected=Affected.singly(len(names), names.__getitem__),
        )
    ]


def _implied(examples: Examples) -> list[Finding]:
    """Returns a finding on tasks whose class follows from that of another in all of train."""
    tasks = examples.source.tasks
    in_train = examples.splits == examples.split_names.index("train")
    if tasks is None or not in_train.any():
        return []
    chosen = tasks.chosen(examples.labels[in_train & examples.readable])
    pairs = []
    for one, name in enumerate(tasks.names):
        for other, implied in enumerate(tasks.names):
            known = (chosen[:, one] != MISSING) & (chosen[:, other] != MISSING)
            both = np.unique(chosen[known][:, [one, other]], axis=0)
            if one != other and known.any() and len(np.unique(both[:, 0])) == len(both):
                pairs.append(f"{implied} by {name}")
    if not pairs:
        return []
    what = "1 task" if len(pairs) == 1 else f"{len(pairs):,} tasks"
    return [
        Finding(
            "tasks that follow",
            f"{what} whose class follows from another task in train",
            "learns both; they may disagree on new images",
            affected=Affected.singly(len(pairs), pairs.__getitem__),
        )
    ]
