"""A compact residual network for small images, in the style of `keras.applications`."""

from collections.abc import Sequence
from typing import Any

import keras

# As in PyTorch. The default momentum of Keras, 0.99, suits longer training.
_BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}


def small_resnet(
    input_shape: tuple[int | None, int | None, int], widths: Sequence[int], blocks: Sequence[int]
) -> keras.Model:
    """Returns a residual network without classifier: images in, feature maps out.

    A 3 x 3 convolution at full resolution, no pooling, then stages of basic blocks. Each stage but
    the first halves the resolution (He et al. 2015, arXiv:1512.03385, section 4.2). Widths are
    free, as in wide residual networks (Zagoruyko & Komodakis 2016, arXiv:1605.07146). Where the
    shape changes, the shortcut is averaged 2 x 2 and then projected (He et al. 2019,
    arXiv:1812.01187, section 4.1).

    Layers are named as in the ResNets of Keras: `conv1_*` for the first convolution, then
    `conv2_block1_*` and so on.

    Args:
        input_shape: (height, width, 3) of images in [-1, 1]; sides may be None.
        widths: Channels of each stage; the last is the number of features.
        blocks: Basic blocks of each stage, of two convolutions each.
    """
    inputs = keras.Input(input_shape)
    x = keras.layers.ReLU(name="conv1_relu")(_convolve(inputs, widths[0], "conv1"))
    for number, (width, depth) in enumerate(zip(widths, blocks, strict=True), start=2):
        for block in range(1, depth + 1):
            stride = 2 if block == 1 and number > 2 else 1
            x = _basic_block(x, width, stride, f"conv{number}_block{block}")
    return keras.Model(inputs, x, name="small_resnet")


def _basic_block(x: Any, width: int, stride: int, name: str) -> Any:
    y = _convolve(x, width, f"{name}_1", stride=stride)
    y = keras.layers.ReLU(name=f"{name}_1_relu")(y)
    y = _convolve(y, width, f"{name}_2")
    if stride > 1:
        x = keras.layers.AveragePooling2D(stride, padding="same", name=f"{name}_0_pool")(x)
    if x.shape[-1] != width:
        x = _convolve(x, width, f"{name}_0", kernel_size=1)
    y = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_out")(y)


def _convolve(x: Any, width: int, name: str, kernel_size: int = 3, stride: int = 1) -> Any:
    x = keras.layers.Conv2D(
        width,
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return keras.layers.BatchNormalization(name=f"{name}_bn", **_BATCH_NORM)(x)
