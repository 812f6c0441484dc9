"""What the labels ask of a fit: its objective, and what is not possible with them."""

import dataclasses

import keras
import numpy as np

from tfxfer.config.schema import UNCERTAINTY, FitConfig
from tfxfer.config.settings import option_of
from tfxfer.data.labels.kinds import MULTI_LABEL
from tfxfer.data.labels.numbers import Number, readable
from tfxfer.data.labels.ordering import in_order
from tfxfer.data.source import Source
from tfxfer.errors import UsageError
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.ordinal.coral import CORAL
from tfxfer.models.regression.values import values
from tfxfer.models.sigmoids import ASYMMETRIC, SIGMOIDS
from tfxfer.models.tasks.softmaxes import softmaxes

# The settings that are for classes, and make no sense with a number.
_FOR_CLASSES = (
    *("ordered", "class_weights", "label_smoothing", "augment.mixup", "augment.cutmix"),
    *("calibrate", "unknown", "folds", "compare_scratch", "group_near_copies", "min_accuracy"),
)


def number_of(source: Source) -> Number | None:
    """Returns what is known of the training numbers of data; None where an image has a class."""
    if not source.has_numbers:
        return None
    (name,) = source.class_names
    return Number.of(name, source.splits["train"].labels)


def objective_of(source: Source, config: FitConfig) -> Objective:
    """Returns what a head is to be trained for, as the labels ask."""
    if source.tasks is not None:
        by_uncertainty = config.task_weights == UNCERTAINTY
        return softmaxes(source.tasks.sizes, config.weights_of_tasks, by_uncertainty=by_uncertainty)
    number = number_of(source)
    if number is not None:
        return values(number.mean, number.std, number.spread)
    if source.has_several_labels:
        return ASYMMETRIC if config.label_loss == "asymmetric" else SIGMOIDS
    return CORAL if config.ordered else SOFTMAX


def kind_of_labels(source: Source) -> str:
    """Returns what the names of a source are of: classes, or labels of which an image has some."""
    number = number_of(source)
    if number is not None:
        return f"number per image, {readable(number.low)} to {readable(number.high)} in train"
    if not source.has_several_labels:
        return "classes"
    if source.tasks is not None:
        return f"classes of {len(source.tasks.names)} tasks"
    mean = np.mean(np.nansum(source.splits["train"].labels, axis=1))
    return f"labels, {mean:.2g} per image on average"


def checked_labels(config: FitConfig, source: Source) -> tuple[FitConfig, Source]:
    """Returns the settings and data of a fit, as its labels ask; see `check_labels`.

    The settings have the target of the data: the `splits.csv` of a run has one that needs no
    setting. Ordered classes are in their order.
    """
    if source.has_numbers:
        config = dataclasses.replace(config, target=source.class_names[0])
    check_labels(config, source)
    return config, in_order(source, config)


def check_labels(config: FitConfig, source: Source) -> None:
    """Checks that a fit can do what its settings ask with the labels of its data.

    Args:
        config: The settings that the user gave.
        source: The opened data.

    Raises:
        UsageError: A setting is for one class per image, but images have several labels; or for
            classes, but they have numbers, or these are all the same.
    """
    if config.label_loss != "cross-entropy" and source.special != MULTI_LABEL:
        raise UsageError(
            f"Setting 'label_loss' (--label-loss) is for multi-label data, but '{source.name}' has "
            f"{source.kind_of_labels}. Leave it out."
        )
    if source.has_numbers:
        _check_numbers(config, source)
        return
    if config.compare_scratch:
        refuse_several_labels(source, "Setting 'compare_scratch' (--compare-scratch)")
    if config.group_near_copies:
        refuse_several_labels(source, "Setting 'group_near_copies' (--group-near-copies)")
    if config.folds:
        refuse_several_labels(source, "Setting 'folds' (--folds)")
    if config.unknown:
        refuse_several_labels(source, "Setting 'unknown' (--unknown)")
    if config.min_accuracy and source.tasks is None:
        refuse_several_labels(source, "Setting 'min_accuracy' (--min-accuracy)")
    if config.folds and config.ordered:
        raise UsageError(
            "Setting 'folds' (--folds) cross-validates a head of classes without an order, but "
            "'ordered' is on. Leave one of them out."
        )
    if source.tasks is None:
        return
    if config.class_weights != "none":
        refuse_several_labels(source, "Setting 'class_weights' (--class-weights)")
    if config.task_weights == UNCERTAINTY and keras.backend.backend() == "jax":
        raise UsageError(
            "Setting 'task_weights' (--task-weights) is 'uncertainty', which needs the backend "
            "tensorflow, but KERAS_BACKEND is 'jax'. Choose 'equal', or give a number for each "
            "task."
        )


def _check_numbers(config: FitConfig, source: Source) -> None:
    """Raises a UsageError if a setting is for classes, or if there is nothing to learn."""
    for key in _FOR_CLASSES:
        if config.get(key) not in (None, False, 0, "none"):
            raise UsageError(
                f"Setting '{key}' ({option_of(key)}) is for classes, but '{source.name}' has "
                f"{source.kind_of_labels}. Leave it out."
            )
    number = number_of(source)
    if number is not None and not number.std:
        raise UsageError(
            f"All training images of '{source.name}' have the same '{number.name}', "
            f"{readable(number.mean)}, so there is nothing to learn. Add images with other "
            "numbers, or name another column with --target."
        )


def refuse_several_labels(source: Source, what: str) -> None:
    """Raises a UsageError if images have anything but one class.

    Args:
        source: The opened data.
        what: A command or a setting that is for one class per image.
    """
    if source.special:
        kind = source.special
        raise UsageError(
            f"{what} is for data with one class per image, but '{source.name}' is {kind}. "
            "Leave it out, or use data with one class per image."
        )
