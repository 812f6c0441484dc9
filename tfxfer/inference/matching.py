"""The labels of a model: what its probabilities are of, and how those of other data match."""

import dataclasses
import pathlib

import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.targets import Labels
from tfxfer.data.labels.tasks import Tasks
from tfxfer.data.sources.manifests.manifest import SUFFIXES
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.ordinal.coral import CORAL
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.models.tasks.softmaxes import softmaxes


def objective_of(tasks: Tasks | None, *, is_multi_label: bool, is_ordered: bool) -> Objective:
    """Returns what the probabilities of a model are of.

    Examples:
        >>> objective_of(None, is_multi_label=False, is_ordered=True).name
        'ordinal classification'
    """
    if tasks is not None:
        return softmaxes(tasks.sizes)
    if is_multi_label:
        return SIGMOIDS
    return CORAL if is_ordered else SOFTMAX


def reading_of(
    data: str, config: FitConfig | None, tasks: Tasks | None, *, is_multi_label: bool
) -> LabelReading:
    """Returns how the labels of data are to be read: as those that a model was trained on.

    Args:
        data: As for `fit`.
        config: The settings the model was trained with, if they are known.
        tasks: Its tasks; None if there are none.
        is_multi_label: Whether it gives an image any number of labels.

    Examples:
        >>> reading_of("photos.csv", None, None, is_multi_label=False).kind
        'single'
    """
    if pathlib.Path(data).suffix.lower() not in SUFFIXES:
        return AS_GIVEN
    if tasks is not None:
        return LabelReading(tasks=tasks.names)
    if not is_multi_label:
        return LabelReading("single")
    how = AS_GIVEN if config is None else LabelReading.of(config)
    return dataclasses.replace(how, kind="multi")


def rows_by_name(
    labels: Labels, places: npt.NDArray[np.int64], num_outputs: int, tasks: Tasks | None
) -> Labels:
    """Returns several labels for each example in the order of a model's outputs.

    Those of the model that the data do not have are unknown; but of a task with a known label, the
    example does not have the other classes.

    Args:
        labels: Of the data, (num_examples, num_names).
        places: The output of each name.
        num_outputs: Of the model.
        tasks: Of the model; None if there are none.

    Examples:
        >>> rows_by_name(np.array([[1.0]], np.float32), np.array([1]), 2, None)
        array([[nan,  1.]], dtype=float32)
    """
    found = np.full((len(labels), num_outputs), np.nan, np.float32)
    found[:, places] = labels
    for columns in tasks.columns.values() if tasks is not None else ():
        own = found[:, columns]
        is_known = ~np.isnan(own).all(axis=1, keepdims=True)
        found[:, columns] = np.where(np.isnan(own) & is_known, 0, own)
    return found
