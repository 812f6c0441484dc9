"""Activations and the features of earlier stages as one tensor.

A head that reads several stages needs two things of the frozen half of a classifier: the
activations that the trained half begins with, and the features of the stages before them. As one
tensor they are cached, batched and shuffled like the activations alone.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras


def pack(activations: Any, features: Sequence[Any]) -> Any:
    """Returns one symbolic float32 tensor, (batch, num_values).

    Args:
        activations: Of any shape, (batch, ...), and type.
        features: Float32, (batch, num_features) each.
    """
    flat = keras.layers.Flatten(dtype="float32")(activations)
    return keras.layers.Concatenate(dtype="float32")([flat, *features])


def unpack(packed: Any, activations: Any, features: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Returns what was packed, of a tensor that `pack` could have returned.

    Args:
        packed: The symbolic tensor.
        activations: What was packed, for its shape and type.
        features: What was packed, for their shapes.
    """
    shape = activations.shape[1:]
    end = math.prod(shape)
    found = keras.ops.reshape(packed[:, :end], (-1, *shape))
    parts = []
    for one in features:
        start, end = end, end + one.shape[-1]
        parts.append(packed[:, start:end])
    return keras.ops.cast(found, activations.dtype), parts
