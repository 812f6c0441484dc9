"""CSPNet and DarkNet as networks of Keras' own layers, as timm has them."""

from dataclasses import dataclass
from typing import Any

import keras

from tfxfer.models.presets.plain.cspnets import CspDesign, Stage, csp_design_of


def timm_cspnet(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a directory of timm, with random weights.

    Args:
        input_shape: (height, width, 3) of images, scaled as the directory says.
        class_name: Of the network in timm.
        settings: "architecture", its name.
    """
    return cspnet(input_shape, csp_design_of(dict(settings)["architecture"]), class_name.lower())


def cspnet(
    input_shape: tuple[int | None, int | None, int], design: CspDesign, name: str
) -> keras.Model:
    """Returns the network of a design without classifier: images in, feature maps out.

    Layers are named by stage and block, as `stage2_block1_conv1_bn`.

    Args:
        input_shape: (height, width, 3); sides may be None.
        design: What it is made of.
        name: Of the network.
    """
    parts = _Parts(design)
    inputs = keras.Input(input_shape)
    x = inputs
    for number, channels in enumerate(design.stem, start=1):
        stride = design.stem_stride if number == 1 else 1
        x = parts.convolved(x, channels, f"stem_conv{number}", design.stem_kernel, stride)
    if design.is_pooled:
        x = _pooled(x, "stem_pool")
    for number, stage in enumerate(design.stages, start=1):
        x = parts.stage(x, stage, f"stage{number}")
    return keras.Model(inputs, x, name=name)


@dataclass(frozen=True)
class _Parts:
    """The layers of a design."""

    design: CspDesign

    def stage(self, x: Any, stage: Stage, name: str) -> Any:
        """Returns the output of a stage."""
        if stage.stride > 1:
            grown = stage.channels if stage.grows or stage.kind == "whole" else x.shape[-1]
            x = self.convolved(x, grown, f"{name}_down", 3, stage.stride)
        if stage.kind == "whole":
            return self.blocks(x, stage, name)
        x = self.convolved(
            x,
            round(stage.channels * stage.expansion),
            f"{name}_expand",
            is_active=not stage.is_linear,
        )
        half = x.shape[-1] // 2
        first, second = x[..., :half], x[..., half:]
        if stage.kind == "short":
            first = self.blocks(first, stage, name)
        else:
            second = self.convolved(self.blocks(second, stage, name), half, f"{name}_return")
        x = keras.layers.Concatenate(name=f"{name}_join")([first, second])
        return self.convolved(x, stage.channels, f"{name}_transition")

    def blocks(self, x: Any, stage: Stage, name: str) -> Any:
        """Returns maps after the blocks of a stage."""
        channels = round(stage.channels * stage.share)
        for number in range(1, stage.depth + 1):
            x = self.block(x, channels, round(channels * stage.bottleneck), f"{name}_block{number}")
        return x

    def block(self, inputs: Any, channels: int, inside: int, name: str) -> Any:
        """Returns the output of a residual block."""
        x = self.convolved(inputs, inside, f"{name}_conv1")
        if not self.design.has_bottlenecks:
            x = self.convolved(x, channels, f"{name}_conv2", 3)
            return keras.layers.Add(name=f"{name}_add")([x, inputs])
        x = self.convolved(x, inside, f"{name}_conv2", 3)
        x = self.convolved(x, channels, f"{name}_conv3", is_active=False)
        x = keras.layers.Add(name=f"{name}_add")([x, inputs])
        return self.activated(x, name)

    def convolved(
        self,
        x: Any,
        channels: int,
        name: str,
        kernel_size: int = 1,
        stride: int = 1,
        *,
        is_active: bool = True,
    ) -> Any:
        """Returns convolution, BatchNorm and activation of maps, padded alike at all sides."""
        padding = "same" if stride == 1 else "valid"
        if stride > 1:
            # Of a kernel of 6 pixels, 2 are outside the image.
            x = keras.layers.ZeroPadding2D((kernel_size - 1) // 2, name=f"{name}_pad")(x)
        x = keras.layers.Conv2D(
            channels,
            kernel_size,
            strides=stride,
            padding=padding,
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
            name=f"{name}_conv",
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
        return self.activated(x, name) if is_active else x

    def activated(self, x: Any, name: str) -> Any:
        """Returns maps after the activation."""
        name = f"{name}_activation"
        if self.design.activation == "leaky_relu":
            return keras.layers.LeakyReLU(negative_slope=0.01, name=name)(x)
        return keras.layers.Activation(self.design.activation, name=name)(x)


def _pooled(x: Any, name: str) -> Any:
    """Returns the largest values around every second pixel.

    Beyond the border nothing counts, not even zero: leaky activations may all be below.
    """
    x = keras.layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_window")(x)
    return keras.layers.MaxPooling2D(1, strides=2, name=name)(x)
