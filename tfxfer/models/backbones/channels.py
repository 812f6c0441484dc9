"""Backbones for images of other channels than red, green and blue.

The first convolution gets a kernel for as many channels, made of the pretrained one as by timm's
`adapt_input_conv` (Wightman 2019, github.com/huggingface/pytorch-image-models): for one channel the
sum over red, green and blue, which computes the same of gray as before; for others the three
repeated in turn and scaled by 3 / channels, so that activations keep their size.
"""

import itertools
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.frame import RGB
from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.pixels import in_turn
from tfxfer.models.layers import leaf_layers

Floats = npt.NDArray[Any]


def with_channels(network: keras.Model, backbone: Backbone, channels: int) -> keras.Model:
    """Returns a backbone whose images have so many channels; with three the network itself.

    Statistics by which the network itself normalizes are averaged for one channel, and repeated in
    turn for others. All other layers are copied with their weights.

    Args:
        network: A backbone as `weights.load_backbone` returns it.
        backbone: Its record.
        channels: Of the images, which are red, green and blue where there are three.

    Raises:
        UsageError: The network does not begin with a convolution.
    """
    if channels == RGB:
        return network
    first = _first_convolution(network, backbone)

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.Sequential):  # its configuration has the shape of its input
            return keras.Sequential([copied(one) for one in layer.layers], name=layer.name)
        config = layer.get_config()
        if isinstance(layer, keras.layers.Normalization) and config["mean"] is not None:
            mean, variance = _statistics(config["mean"], config["variance"], channels)
            config |= {"mean": mean.tolist(), "variance": variance.tolist()}
        return type(layer).from_config(config)

    height, width, _ = network.input_shape[1:]
    given = network.inputs[0]
    name = given._keras_history.operation.name
    image = keras.Input((height, width, channels), dtype=given.dtype, name=name)
    copy = keras.models.clone_model(network, image, clone_function=copied)
    for layer, other in zip(leaf_layers(network), leaf_layers(copy), strict=True):
        weights = layer.get_weights()
        if layer is first:
            kernel, *bias = weights
            weights = [adapted_kernel(kernel, channels, is_bgr=backbone.scaling.is_bgr), *bias]
        elif isinstance(layer, keras.layers.Normalization) and weights:
            mean, variance, count = weights
            weights = [*_statistics(mean, variance, channels), count]
        other.set_weights(weights)
        if isinstance(other, keras.layers.Normalization):
            other.finalize_state()  # the values the layer computes with are derived ones
    return copy


def adapted_kernel(kernel: Floats, channels: int, *, is_bgr: bool = False) -> Floats:
    """Returns a kernel for other channels, (height, width, channels, filters).

    Args:
        kernel: For three channels, (height, width, 3, filters).
        channels: How many there are now.
        is_bgr: Whether the three are blue, green and red.

    Examples:
        >>> adapted_kernel(np.array([[[[1.0], [2.0], [3.0]]]]), 1).ravel()
        array([6.])
        >>> adapted_kernel(np.array([[[[1.0], [2.0], [3.0]]]]), 4).ravel()
        array([0.75, 1.5 , 2.25, 0.75])
    """
    colors = kernel[:, :, ::-1] if is_bgr else kernel
    adapted: Floats = colors[:, :, np.arange(channels) % RGB] * (RGB / channels)
    return np.sum(colors, axis=2, keepdims=True) if channels == 1 else adapted


def _statistics(mean: Any, variance: Any, channels: int) -> tuple[Floats, Floats]:
    """Returns the means and variances of other channels, by those of red, green and blue."""
    deviations = in_turn(np.sqrt(np.ravel(variance)).tolist(), channels)
    return np.array(in_turn(np.ravel(mean).tolist(), channels)), np.square(deviations)


def _first_convolution(network: keras.Model, backbone: Backbone) -> keras.layers.Layer:
    """Returns the layer that the channels of an image enter, or raises a UsageError."""
    outer = (one.layers if isinstance(one, keras.Sequential) else [one] for one in network.layers)
    for layer in itertools.chain.from_iterable(outer):
        if type(layer) is keras.layers.Conv2D and layer.groups == 1:
            return layer
        if layer.weights and not isinstance(layer, keras.layers.Normalization):
            break
    raise UsageError(
        f"Backbone '{backbone.name}' takes images of three channels only: it does not begin with a "
        "convolution whose kernel could be adapted. Leave --channels out, or choose another "
        "backbone, such as mobilenetv2."
    )
