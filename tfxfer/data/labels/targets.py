"""Labels as arrays: one class for each image, any number of labels, or a number.

Labels of any kind are one array, and its shape and type tell which:

- `(num_examples,)`, int64: the class of each example;
- `(num_examples,)`, float64: the number of each example, in the unit of the user;
- `(num_examples, num_labels)`, float32: 1 where an example has a label, 0 where it has not, NaN
  where that is not known.

What they have in common is here. What differs in training is in `models.objectives`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.numbers import exact_text

Labels = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

# How an unknown label counts where labels are compared byte by byte.
_UNKNOWN = 255


def are_several(labels: Labels) -> bool:
    """Tells whether an example may have several labels or none.

    Examples:
        >>> are_several(np.array([0, 2, 1])), are_several(np.array([[0, 1], [1, 1]], np.float32))
        (False, True)
    """
    return labels.ndim == 2


def are_numbers(labels: Labels) -> bool:
    """Tells whether an example has a number, and not a class.

    Examples:
        >>> are_numbers(np.array([0, 2, 1])), are_numbers(np.array([0.5, 2.0]))
        (False, True)
    """
    return labels.ndim == 1 and labels.dtype.kind == "f"


def images_of_each(labels: Labels, num_classes: int) -> Integers:
    """Returns the number of examples of each class, or with each label, (num_classes,).

    Examples:
        >>> images_of_each(np.array([0, 2, 2]), 3)
        array([1, 0, 2])
        >>> images_of_each(np.array([[0, 1], [1, 1], [np.nan, 0]], np.float32), 2)
        array([1, 2])
    """
    if are_several(labels):
        counts: Integers = np.count_nonzero(labels == 1, axis=0).astype(np.int64)
        return counts
    if are_numbers(labels):
        return np.array([len(labels)], np.int64)
    return np.bincount(labels, minlength=num_classes)


def occurring(labels: Labels) -> set[int]:
    """Returns the classes, or the labels, that at least one example has.

    Examples:
        >>> sorted(occurring(np.array([2, 0, 2])))
        [0, 2]
        >>> sorted(occurring(np.array([[0, 1], [0, np.nan]], np.float32)))
        [1]
    """
    if are_several(labels):
        return set(np.flatnonzero((labels == 1).any(axis=0)).tolist())
    if are_numbers(labels):
        return {0} if len(labels) else set()
    return set(np.unique(labels).tolist())


def as_bytes(labels: Labels) -> npt.NDArray[np.uint8]:
    """Returns the labels of each example as bytes, (num_examples, num_bytes), for a digest.

    Examples:
        >>> as_bytes(np.array([258]))
        array([[0, 0, 1, 2]], dtype=uint8)
        >>> as_bytes(np.array([[0, 1, np.nan]], np.float32))
        array([[  0,   1, 255]], dtype=uint8)
    """
    if are_several(labels):
        return np.where(np.isnan(labels), _UNKNOWN, labels).astype(np.uint8)
    if are_numbers(labels):
        return (labels + 0.0).astype(">f8").view(np.uint8).reshape(-1, 8)  # no negative zero
    return labels.astype(">u4").view(np.uint8).reshape(-1, 4)


def numbered(labels: Labels) -> Integers:
    """Returns a number for each example, (num_examples,): equal numbers are equal labels.

    Examples:
        >>> numbered(np.array([[0, 1], [1, 1], [0, 1]], np.float32))
        array([0, 1, 0])
    """
    if are_several(labels):
        return np.unique(as_bytes(labels), axis=0, return_inverse=True)[1].reshape(-1)
    if are_numbers(labels):
        return np.unique(labels, return_inverse=True)[1].reshape(-1)
    return labels


def in_batches(labels: Labels) -> Labels:
    """Returns labels in the type that batches have: int32, or float32."""
    has_floats = are_several(labels) or are_numbers(labels)
    return labels.astype(np.float32 if has_floats else np.int32)


def names_of(label: Any, class_names: Sequence[str]) -> list[str]:
    """Returns the names of one example's labels.

    Args:
        label: A class index, a number, or a row of (num_labels,).
        class_names: In the order of the labels.

    Examples:
        >>> names_of(1, ["cat", "dog"]), names_of(np.array([1, 1, 0]), ["cat", "dog", "sun"])
        (['dog'], ['cat', 'dog'])
    """
    if np.ndim(label) == 0:
        if isinstance(label, float):  # NumPy's are, too
            return [exact_text(label)]
        return [class_names[int(label)]]
    return [class_names[place] for place in np.flatnonzero(label == 1).tolist()]


def unknown_names_of(label: Any, class_names: Sequence[str]) -> list[str]:
    """Returns the names of the labels of which it is unknown whether an example has them."""
    if np.ndim(label) == 0:
        return []
    return [class_names[place] for place in np.flatnonzero(np.isnan(label)).tolist()]
