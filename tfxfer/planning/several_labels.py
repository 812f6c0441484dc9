"""What the labels ask of a fit: its objective, and what is not possible with them, or not yet."""

import keras
import numpy as np

from tfxfer.config.schema import UNCERTAINTY, FitConfig
from tfxfer.data.source import Source
from tfxfer.errors import UsageError
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.ordinal.coral import CORAL
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.models.tasks.softmaxes import softmaxes


def objective_of(source: Source, config: FitConfig) -> Objective:
    """Returns what a head is to be trained for, as the labels ask."""
    if source.tasks is not None:
        by_uncertainty = config.task_weights == UNCERTAINTY
        return softmaxes(source.tasks.sizes, config.weights_of_tasks, by_uncertainty=by_uncertainty)
    if source.has_several_labels:
        return SIGMOIDS
    return CORAL if config.ordered else SOFTMAX


def kind_of_labels(source: Source) -> str:
    """Returns what the names of a source are of: classes, or labels of which an image has some."""
    if not source.has_several_labels:
        return "classes"
    if source.tasks is not None:
        return f"classes of {len(source.tasks.names)} tasks"
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


def refuse_several_labels(source: Source, what: str) -> None:
    """Raises a UsageError if images have several labels.

    Args:
        source: The opened data.
        what: A command or a setting that is for one class per image.
    """
    if source.has_several_labels:
        kind = "multi-label" if source.tasks is None else "multi-task"
        raise UsageError(
            f"{what} is for data with one class per image, but '{source.name}' is {kind}. "
            "Leave it out, or use data with one class per image."
        )
