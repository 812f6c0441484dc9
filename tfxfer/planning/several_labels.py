"""What is not possible, or not yet, with multi-label data."""

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.source import Source
from tfxfer.errors import UsageError


def kind_of_labels(source: Source) -> str:
    """Returns what the names of a source are of: classes, or labels of which an image has some."""
    if not source.has_several_labels:
        return "classes"
    mean = np.mean(np.nansum(source.splits["train"].labels, axis=1))
    return f"labels, {mean:.2g} per image on average"


def check_labels(config: FitConfig, source: Source) -> None:
    """Checks that a fit can do what its settings ask with the labels of its data.

    Args:
        config: The settings that the user gave.
        source: The opened data.

    Raises:
        UsageError: A setting is for one class per image, but images have several labels.
    """
    if config.compare_scratch:
        refuse_several_labels(source, "Setting 'compare_scratch' (--compare-scratch)")
    if config.group_near_copies:
        refuse_several_labels(source, "Setting 'group_near_copies' (--group-near-copies)")
    if config.folds:
        refuse_several_labels(source, "Setting 'folds' (--folds)")
    if config.min_accuracy:
        refuse_several_labels(source, "Setting 'min_accuracy' (--min-accuracy)")


def refuse_several_labels(source: Source, what: str) -> None:
    """Raises a UsageError if images have several labels.

    Args:
        source: The opened data.
        what: A command or a setting that is for one class per image.
    """
    if source.has_several_labels:
        raise UsageError(
            f"{what} is for data with one class per image, but '{source.name}' is multi-label. "
            "Leave it out, or use data with one class per image."
        )
