"""A tiny network, for the tests of fits, exports and reports.

It has what the networks of the table have, in few layers: stages, BatchNorm, a depthwise
convolution. The real ones have tests of their own.
"""

import keras

from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import BACKBONES

SMALL = Backbone(
    name="small",
    module="small_network",
    builder="build",
    pixels="symmetric",
    native_size=224,
    min_size=32,
    num_features=64,
    num_parameters=12_992,
    stages=(("stem", "stem_.*"), *((f"block_{n}", f"block_{n}_.*") for n in (1, 2, 3))),
    last_resolution="block_2",
    batch_norm=True,
    license="Apache-2.0 (the authors of tfxfer)",
    paper="He et al. 2015, arXiv:1512.03385",
    weights_file="small.h5",
    weights_url="https://example.org/small.h5",
)

# Registered as a backbone, so that it is found by name.
BACKBONES[SMALL.name] = SMALL


def build(input_shape):
    """Returns the network: images in [-1, 1] to feature maps of 1/32 of their size."""
    inputs = keras.Input(input_shape)
    x = _convolve(inputs, 16, "stem", stride=4)
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="block_1_depthwise")(x)
    x = keras.layers.BatchNormalization(name="block_1_depthwise_bn")(x)
    x = _convolve(x, 32, "block_1", stride=4, kernel_size=1)
    x = _convolve(x, 32, "block_2", stride=2)
    return keras.Model(inputs, _convolve(x, 64, "block_3", kernel_size=1), name="small")


def _convolve(x, width, name, *, stride=1, kernel_size=3):
    x = keras.layers.Conv2D(
        width, kernel_size, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
