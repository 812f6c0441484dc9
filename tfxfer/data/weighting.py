"""Sample weights: from the data, and from class frequencies."""

import dataclasses

import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import ClassWeights
from tfxfer.data.labels.targets import Labels, are_several
from tfxfer.data.source import Source, Split
from tfxfer.errors import DataError


def balanced_weights(labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Returns a weight for each example such that all classes have the same total, mean 1.

    An example has `num_examples / (num_classes * count)`, with the count of its class and the
    number of classes that occur. It is the weighting of King & Zeng (2001, Political Analysis 9)
    for classes that should all be as frequent, and scikit-learn's "balanced".

    Args:
        labels: Class indices, shape (num_examples,).

    Examples:
        >>> balanced_weights([0, 0, 0, 1]).round(2)
        array([0.67, 0.67, 0.67, 2.  ], dtype=float32)
    """
    classes, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    of_classes = len(which) / (len(classes) * counts)
    return of_classes[which].astype(np.float32)


def class_weights_of(labels: Labels) -> npt.NDArray[np.float32]:
    """Returns balanced weights in the shape of the labels; see `balanced_weights`.

    For multi-label data, each has weights of its own: the examples with the label have together the
    same weight as those without it. Where a label is unknown the weight is 1, and without effect.

    Args:
        labels: Of either kind; see `labels.targets`.

    Examples:
        >>> class_weights_of(np.array([[0], [0], [0], [1], [np.nan]], np.float32)).round(2).T
        array([[0.67, 0.67, 0.67, 2.  , 1.  ]], dtype=float32)
    """
    if not are_several(labels):
        return balanced_weights(labels)
    weights = np.ones(labels.shape, np.float32)
    for place, column in enumerate(labels.T):
        known = ~np.isnan(column)
        weights[known, place] = balanced_weights(column[known])
    return weights


def evaluation_weights(
    labels: Labels, class_weights: ClassWeights
) -> npt.NDArray[np.float32] | None:
    """Returns the sample weights of validation during training; None weights all equally.

    Validation must measure what training optimizes. Under balanced class weights, unweighted
    validation loss and accuracy favor giving up the rare classes: the epoch and the L2 penalty they
    choose would undo the weighting.

    Args:
        labels: Of either kind; see `labels.targets`.
        class_weights: The setting.

    Returns:
        In the shape of the labels.

    Examples:
        >>> evaluation_weights(np.array([0, 0, 0, 1]), "balanced").round(2)
        array([0.67, 0.67, 0.67, 2.  ], dtype=float32)
        >>> evaluation_weights(np.array([0, 0, 0, 1]), "none") is None
        True
    """
    return class_weights_of(labels) if class_weights == "balanced" else None


def without_weightless(source: Source) -> Source:
    """Returns the source without training images of weight 0.

    They would still affect BatchNorm and the number of steps.

    Raises:
        DataError: All weights are 0.
    """
    train = source.splits["train"]
    if train.weights is None or train.weights.all():
        return source
    chosen = np.flatnonzero(train.weights)
    if not len(chosen):
        raise DataError(
            f"All training images of '{source.name}' have weight 0, so there is nothing to train "
            "on. Give some of them a weight above 0."
        )
    note = f"left out of 'train', with weight 0: {len(train) - len(chosen):,}"
    splits = {**source.splits, "train": train.select(chosen)}
    return dataclasses.replace(source, splits=splits, notes=(*source.notes, note))


def training_weights(train: Split, class_weights: ClassWeights) -> npt.NDArray[np.float32] | None:
    """Returns sample weights with mean 1, in the shape of the labels; None if all are equal.

    A sample weight is the product of the example's weight in the data and its class weight.

    Args:
        train: With the example weights of the data.
        class_weights: The setting.
    """
    own = np.ones(len(train)) if train.weights is None else train.weights.astype(np.float64)
    # One weight for each example, or for each of its labels.
    product = np.broadcast_to(own.reshape(-1, *[1] * (train.labels.ndim - 1)), train.labels.shape)
    if class_weights == "balanced":
        product = product * class_weights_of(train.labels)
    if np.all(product == product[:1]):
        return None
    weights: npt.NDArray[np.float32] = (product / product.mean()).astype(np.float32)
    return weights
