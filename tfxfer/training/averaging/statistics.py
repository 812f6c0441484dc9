"""The statistics of BatchNorm for weights that were not trained, but averaged."""

import math

import keras
import numpy as np

from tfxfer.models.layers import leaf_layers
from tfxfer.training.epochs.loop import Batches
from tfxfer.training.epochs.state import generator_states, restore_generators

# Training images that the statistics are taken from: of a channel with at least 7 x 7 places, more
# than 50,000 values.
_IMAGES = 1024


def adapting_layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Returns the BatchNorm layers whose statistics adapt."""
    return [
        layer
        for layer in leaf_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def renew_statistics(
    layers: list[keras.layers.BatchNormalization],
    model: keras.Model,
    batches: Batches,
    batch_size: int,
) -> None:
    """Gives BatchNorm layers the statistics of the first training batches.

    The mean of the statistics of several networks is not that of the activations of their mean
    (Izmailov et al. 2018, arXiv:1803.05407, section 3.2), so they are computed anew: the mean over
    the batches of each batch's mean and variance. Random generators keep their states.

    Args:
        layers: The layers.
        model: The model that is trained, which has the layers in it.
        batches: Batches of the phase that trained it.
        batch_size: Images per batch.
    """
    if not layers:
        return
    number = min(batches.steps, max(1, math.ceil(_IMAGES / batch_size)))
    generators, momenta = generator_states(model), [layer.momentum for layer in layers]
    sums = [np.zeros(variable.shape) for variable in _statistics(layers)]
    try:
        for layer in layers:
            layer.momentum = 0.0  # a batch then leaves its own statistics
        for inputs, *_ in batches.of(0, 1, 0).take(number):
            model(inputs, training=True)
            sums = [
                so_far + keras.ops.convert_to_numpy(variable)
                for so_far, variable in zip(sums, _statistics(layers), strict=True)
            ]
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        restore_generators(model, generators)
    for variable, total in zip(_statistics(layers), sums, strict=True):
        variable.assign(total / number)


def _statistics(layers: list[keras.layers.BatchNormalization]) -> list[keras.Variable]:
    return [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
