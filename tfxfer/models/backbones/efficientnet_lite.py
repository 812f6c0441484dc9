"""EfficientNet-Lite, in the style of `keras.applications`."""

import math
from typing import Any

import keras

# Kernel size, repeats, channels, expansion and stride of each block group: EfficientNet-B0 (Tan and
# Le 2019, arXiv:1905.11946, table 1).
_GROUPS = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)

_STEM_CHANNELS, _TOP_CHANNELS = 32, 1280

_BATCH_NORM = {"momentum": 0.99, "epsilon": 1e-3}


def efficientnet_lite(
    input_shape: tuple[int | None, int | None, int], width: float, depth: float
) -> keras.Model:
    """Returns an EfficientNet-Lite without classifier: images in, feature maps out.

    EfficientNet without squeeze-and-excitation and with ReLU6, for phones and integer arithmetic.
    Stem and top keep their channels, and the first and the last block group their repeats (Google,
    github.com/tensorflow/tpu, models/official/efficientnet/lite). There is no stochastic depth.

    Layers are named as in the EfficientNets of Keras: `stem_*`, `block1a_*` to `block7a_*`,
    `top_*`.

    Args:
        input_shape: (height, width, 3) of images in [-127/128, 1]; sides may be None.
        width: Factor on the channels of the blocks.
        depth: Factor on the repeats of the block groups.
    """
    inputs = keras.Input(input_shape)
    x = _convolution(_STEM_CHANNELS, "stem_conv", kernel_size=3, strides=2)(inputs)
    x = _normalized(x, "stem")
    for number, (kernel_size, repeats, channels, expansion, stride) in enumerate(_GROUPS, start=1):
        is_scaled = 1 < number < len(_GROUPS)
        for place in range(math.ceil(depth * repeats) if is_scaled else repeats):
            x = _block(
                x,
                f"block{number}{chr(ord('a') + place)}",
                kernel_size=kernel_size,
                channels=_rounded(width * channels),
                expansion=expansion,
                stride=1 if place else stride,
            )
    x = _normalized(_convolution(_TOP_CHANNELS, "top_conv")(x), "top")
    return keras.Model(inputs, x, name="efficientnet_lite")


def _rounded(channels: float) -> int:
    """Returns the nearest multiple of 8 that is not more than a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def _block(
    inputs: Any, name: str, *, kernel_size: int, channels: int, expansion: int, stride: int
) -> Any:
    """Returns an inverted residual block (Sandler et al. 2018, arXiv:1801.04381)."""
    x = inputs
    if expansion != 1:
        x = _convolution(expansion * inputs.shape[-1], f"{name}_expand_conv")(x)
        x = _normalized(x, f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}_dwconv",
    )(x)
    x = _normalized(x, name)
    x = _convolution(channels, f"{name}_project_conv")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_project_bn", **_BATCH_NORM)(x)
    if stride == 1 and inputs.shape[-1] == channels:
        x = keras.layers.Add(name=f"{name}_add")([x, inputs])
    return x


def _convolution(
    channels: int, name: str, *, kernel_size: int = 1, strides: int = 1
) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        channels,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )


def _initializer() -> keras.Initializer:
    """Returns a new initializer, as used twice it would give the same values.

    It scales by the outputs, as Google's does: as inputs of a depthwise kernel Keras would count
    those of all channels.
    """
    return keras.initializers.VarianceScaling(2.0, mode="fan_out")


def _normalized(x: Any, name: str) -> Any:
    """Returns BatchNorm and ReLU6 of a tensor."""
    x = keras.layers.BatchNormalization(name=f"{name}_bn", **_BATCH_NORM)(x)
    return keras.layers.ReLU(6.0, name=f"{name}_activation")(x)
