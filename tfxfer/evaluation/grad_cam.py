"""Grad-CAM: heat maps of the image regions that are evidence for a class.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv:1610.02391), computed on the feature maps before global pooling.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.models.heads import backbone_call, find_pools, logits_of_maps
from tfxfer.models.ordinal.coral import log_probabilities
from tfxfer.system.devices import without_xla

# Coarser feature maps do not localize anything.
MIN_MAP_SIZE = 3


class Explainer:
    """Computes Grad-CAM heat maps for a classifier."""

    def __init__(self, model: keras.Model, *, is_compiled: bool = False) -> None:
        """Splits a classifier at its feature maps.

        Args:
            model: RGB in [0, 255] to probabilities, as saved in a run.
            is_compiled: Whether the network is compiled, which takes a second and saves most of the
                time of each call: for many calls with as many images each.
        """
        self._is_compiled = is_compiled
        self._maps: keras.Model | None = None
        pools = find_pools(model)
        if not pools or "head" not in [layer.name for layer in model.layers]:
            return
        maps = pools[0].input
        if len(maps.shape) != 4 or min(maps.shape[1:3]) < MIN_MAP_SIZE:
            return
        # Of a head that reads several stages, the maps of the last one are explained.
        read = backbone_call(model).output_tensors
        self._maps = without_xla(keras.Model(model.input, read))
        inputs = [keras.Input(one.shape[1:], dtype="float32") for one in read]
        logits = logits_of_maps(model, inputs)
        if logits.shape[-1] != model.output_shape[-1]:  # of ordered classes
            logits = log_probabilities(logits)
        self._logits = keras.Model(inputs, logits)

    @property
    def can_explain(self) -> bool:
        """Whether the model was built by tfxfer, with feature maps of at least 3 x 3."""
        return self._maps is not None

    def heat(
        self, squares: npt.NDArray[np.uint8], classes: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Returns the Grad-CAM heat map of each image for a class.

        The rectified sum of the feature maps, each weighted by the mean gradient of the class's
        logit (equations 1 and 2), divided by the maximum of the image.

        Args:
            squares: RGB in [0, 255], shape (batch, height, width, 3).
            classes: The class to explain for each image, shape (batch,).

        Returns:
            In [0, 1], shape (batch, rows, columns) of the feature maps. All 0 if there is no
            evidence for the class.

        Raises:
            ValueError: `can_explain` is False.
        """
        (found,) = self.heats(squares, [classes])
        return found

    def heats(
        self, squares: npt.NDArray[np.uint8], several: Sequence[npt.NDArray[np.int64]]
    ) -> list[npt.NDArray[np.float32]]:
        """Returns what `heat` does for each of several choices of classes, which takes little more.

        Args:
            squares: As for `heat`.
            several: The classes to explain for each image, shape (batch,) each.

        Raises:
            ValueError: `can_explain` is False.
        """
        if self._maps is None:
            raise ValueError("This model cannot be explained; see `can_explain`.")
        images = squares.astype(np.float32)
        if self._is_compiled:
            found = keras.tree.flatten(self._maps.predict_on_batch(images))
            *earlier, maps = map(keras.ops.convert_to_tensor, found)
        else:
            *earlier, maps = keras.tree.flatten(self._maps(images, training=False))
        return [self._heat(classes, earlier, maps) for classes in several]

    def _heat(
        self, classes: npt.NDArray[np.int64], earlier: list[Any], maps: Any
    ) -> npt.NDArray[np.float32]:
        """Returns the heat maps of feature maps; `earlier` is what the head reads besides."""
        gradient = _gradient(functools.partial(self._logits_of, classes, earlier), maps)
        weights = gradient.mean(axis=(1, 2), keepdims=True)  # (batch, 1, 1, channels)
        heat = np.maximum((weights * _as_numpy(maps)).sum(axis=-1), 0)
        largest = heat.max(axis=(1, 2), keepdims=True)
        scaled: npt.NDArray[np.float32] = heat / np.where(largest > 0, largest, 1)
        return scaled

    def _logits_of(self, classes: npt.NDArray[np.int64], earlier: list[Any], maps: Any) -> Any:
        """Returns the sum over the images of the logits of their classes."""
        logits = self._logits([*earlier, maps], training=False)
        chosen = keras.ops.take_along_axis(logits, classes.astype(np.int32)[:, None], axis=-1)
        return keras.ops.sum(chosen)


def _gradient(function: Callable[[Any], Any], at: Any) -> npt.NDArray[np.float32]:
    """Returns the gradient of a scalar function, on Keras' backend."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(at))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(at)
        value = function(at)
    gradient: npt.NDArray[np.float32] = tape.gradient(value, at).numpy()
    return gradient


def _as_numpy(tensor: Any) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = keras.ops.convert_to_numpy(tensor)
    return array
