"""The labels of a model: what its probabilities are of, and how those of other data match."""

import dataclasses
import pathlib

import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.labels.targets import Labels
from tfxfer.data.sources.manifests.manifest import SUFFIXES
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.ordinal.coral import CORAL
from tfxfer.models.regression.values import values
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.models.tasks.softmaxes import softmaxes


def objective_of(outputs: Outputs) -> Objective:
    """Returns the objective whose activation gives the outputs of a model.

    Examples:
        >>> objective_of(Outputs(("bad", "fair", "good"), is_ordered=True)).name
        'ordinal classification'
    """
    if outputs.tasks is not None:
        return softmaxes(outputs.tasks.sizes)
    if outputs.number is not None:
        return values(outputs.number.mean, outputs.number.std, outputs.number.spread)
    if outputs.thresholds is not None:
        return SIGMOIDS
    return CORAL if outputs.is_ordered else SOFTMAX


def reading_of(data: str, config: FitConfig | None, outputs: Outputs) -> LabelReading:
    """Returns how the labels of data are to be read: as those that a model was trained on.

    Only of a manifest is this certain; other data may have labels of one kind.

    Args:
        data: As for `fit`.
        config: The settings the model was trained with, if they are known.
        outputs: What its outputs are of.

    Examples:
        >>> reading_of("photos.csv", None, Outputs(("cat", "dog"))).kind
        'single'
    """
    how = _reading(config, outputs)
    is_manifest = pathlib.Path(data).suffix.lower() in SUFFIXES
    return dataclasses.replace(how, is_preference=not is_manifest)


def _reading(config: FitConfig | None, outputs: Outputs) -> LabelReading:
    """Returns how the labels of a manifest are to be read; see `reading_of`."""
    if outputs.tasks is not None:
        return LabelReading(tasks=outputs.tasks.names)
    if outputs.number is not None:
        return LabelReading(target=outputs.number.name)
    if outputs.thresholds is None:
        return LabelReading("single")
    how = AS_GIVEN if config is None else LabelReading.of(config)
    return dataclasses.replace(how, kind="multi")


def rows_by_name(labels: Labels, places: npt.NDArray[np.int64], outputs: Outputs) -> Labels:
    """Returns several labels for each example in the order of a model's outputs.

    Those of the model that the data do not have are unknown; but of a task with a known label, the
    example does not have the other classes.

    Args:
        labels: Of the data, (num_examples, num_names).
        places: The output of each name.
        outputs: What the outputs of the model are of.

    Examples:
        >>> labels, outputs = np.array([[1.0]], np.float32), Outputs(("cat", "dog"))
        >>> rows_by_name(labels, np.array([1]), outputs)
        array([[nan,  1.]], dtype=float32)
    """
    found = np.full((len(labels), len(outputs.names)), np.nan, np.float32)
    found[:, places] = labels
    for columns in outputs.tasks.columns.values() if outputs.tasks is not None else ():
        own = found[:, columns]
        is_known = ~np.isnan(own).all(axis=1, keepdims=True)
        found[:, columns] = np.where(np.isnan(own) & is_known, 0, own)
    return found
