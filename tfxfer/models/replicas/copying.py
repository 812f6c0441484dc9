"""Copies of models, with layers and weights of their own."""

from collections.abc import Iterator
from typing import Any

import keras

from tfxfer.models.folding.each_step import FoldedConvolution
from tfxfer.models.halves import FrozenLayer


def copied(model: keras.Model, *, shares_statistics: bool) -> keras.Model:
    """Returns a copy with the same weights, random states and trainable layers.

    Args:
        model: A functional model.
        shares_statistics: Whether the BatchNorm layers of the copy that adapt normalize by the
            statistics of the whole batch where several devices of TensorFlow divide it.
    """

    def copy_of(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=copy_of)
        if isinstance(layer, FrozenLayer):
            return FrozenLayer(copy_of(layer.model))
        if isinstance(layer, FoldedConvolution):
            parts = layer.convolution, layer.batch_norm
            copies = [copy_of(part) for part in parts]
            for part, copy in zip(parts, copies, strict=True):
                copy.build(part.input.shape)
            return FoldedConvolution(*copies)
        config = layer.get_config()
        if shares_statistics and isinstance(layer, keras.layers.BatchNormalization):
            config["synchronized"] = True
        return type(layer).from_config(config)

    copy = copy_of(model)
    for variable, ours in zip(copy.variables, model.variables, strict=True):
        variable.assign(keras.ops.convert_to_numpy(ours))
    for theirs, ours in zip(_layers(copy), _layers(model), strict=True):
        theirs.trainable = ours.trainable
        if isinstance(theirs, keras.layers.Normalization):
            theirs.finalize_state()  # what it computes with is derived from its weights
    return copy


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model, each before those inside it."""
    for layer in model.layers:
        yield layer
        yield from _inside(layer)


def _inside(layer: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(layer, keras.Model):
        yield from _layers(layer)
    elif isinstance(layer, FrozenLayer):
        yield layer.model
        yield from _layers(layer.model)
    elif isinstance(layer, FoldedConvolution):
        yield from (layer.convolution, layer.batch_norm)
