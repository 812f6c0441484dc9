"""EfficientNets of Keras' own layers; EfficientNet-Lite as `keras.applications` would have it."""

from dataclasses import dataclass
from typing import Any

import keras

from tfxfer.models.backbones.efficientnet_design import B0, Design, Group, scaled


def efficientnet_lite(
    input_shape: tuple[int | None, int | None, int], width: float, depth: float
) -> keras.Model:
    """Returns an EfficientNet-Lite without classifier: images in, feature maps out.

    EfficientNet without squeeze-and-excitation and with ReLU6, for phones and integer arithmetic.
    Stem and top keep their channels, and the first and the last block group their repeats (Google,
    github.com/tensorflow/tpu, models/official/efficientnet/lite). There is no stochastic depth.

    Args:
        input_shape: (height, width, 3) of images in [-127/128, 1]; sides may be None.
        width: Factor on the channels of the blocks.
        depth: Factor on the repeats of the block groups.
    """
    design = Design(
        scaled(B0, width, depth, keeps_ends=True),
        epsilon=1e-3,
        momentum=0.99,
        is_symmetric=False,
    )
    return efficientnet(input_shape, design, "efficientnet_lite")


def efficientnet(
    input_shape: tuple[int | None, int | None, int], design: Design, name: str
) -> keras.Model:
    """Returns the network of a design without classifier: images in, feature maps out.

    Layers are named as in the EfficientNets of Keras: `stem_*`, `block1a_*` and so on, `top_*`.

    Args:
        input_shape: (height, width, 3); sides may be None.
        design: What it is made of.
        name: Of the network.
    """
    parts = _Parts(design)
    inputs = keras.Input(input_shape)
    x = parts.normalized(parts.convolved(inputs, design.stem, "stem_conv", 3, 2), "stem")
    for number, group in enumerate(design.groups, start=1):
        for place in range(group.repeats):
            x = parts.block(x, group, f"block{number}{chr(ord('a') + place)}", is_first=place == 0)
    x = parts.normalized(parts.convolved(x, design.top, "top_conv"), "top")
    return keras.Model(inputs, x, name=name)


@dataclass(frozen=True)
class _Parts:
    """The layers of a design."""

    design: Design

    def block(self, inputs: Any, group: Group, name: str, *, is_first: bool) -> Any:
        """Returns the output of a block."""
        stride = group.stride if is_first else 1
        inside = (group.expanded or inputs.shape[-1]) * group.expansion
        if group.kind == "plain":
            x = self.convolved(inputs, group.channels, f"{name}_conv", group.kernel_size, stride)
            x = self.normalized(x, name)
        else:
            x = inputs
            if group.kind == "fused":
                x = self.convolved(x, inside, f"{name}_expand_conv", group.kernel_size, stride)
                x = self.normalized(x, f"{name}_expand")
            else:
                if group.expansion != 1:
                    x = self.convolved(x, inside, f"{name}_expand_conv")
                    x = self.normalized(x, f"{name}_expand")
                x = self.normalized(self._by_channel(x, group.kernel_size, stride, name), name)
            if group.squeeze:
                x = self._excited(x, round(inside * group.squeeze / group.expansion), name)
            x = self._norm(
                self.convolved(x, group.channels, f"{name}_project_conv"), f"{name}_project"
            )
        if group.is_residual and stride == 1 and inputs.shape[-1] == group.channels:
            x = keras.layers.Add(name=f"{name}_add")([x, inputs])
        return x

    def convolved(
        self, x: Any, channels: int, name: str, kernel_size: int = 1, stride: int = 1
    ) -> Any:
        """Returns a convolution of maps, without bias."""
        x, padding = self._padded(x, name, kernel_size, stride)
        return keras.layers.Conv2D(
            channels,
            kernel_size,
            strides=stride,
            padding=padding,
            use_bias=False,
            kernel_initializer=_initializer(),
            name=name,
        )(x)

    def normalized(self, x: Any, name: str) -> Any:
        """Returns BatchNorm and activation of maps."""
        x, name = self._norm(x, name), f"{name}_activation"
        if self.design.activation == "relu6":
            return keras.layers.ReLU(6.0, name=name)(x)
        return keras.layers.Activation(self.design.activation, name=name)(x)

    def _norm(self, x: Any, name: str) -> Any:
        return keras.layers.BatchNormalization(
            momentum=self.design.momentum, epsilon=self.design.epsilon, name=f"{name}_bn"
        )(x)

    def _by_channel(self, x: Any, kernel_size: int, stride: int, name: str) -> Any:
        """Returns a depthwise convolution of maps."""
        x, padding = self._padded(x, f"{name}_dwconv", kernel_size, stride)
        return keras.layers.DepthwiseConv2D(
            kernel_size,
            strides=stride,
            padding=padding,
            use_bias=False,
            depthwise_initializer=_initializer(),
            name=f"{name}_dwconv",
        )(x)

    def _padded(self, x: Any, name: str, kernel_size: int, stride: int) -> tuple[Any, str]:
        """Returns maps as a convolution takes them, and its padding."""
        if stride == 1 or not self.design.is_symmetric:
            return x, "same"
        return keras.layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x), "valid"

    def _excited(self, x: Any, channels: int, name: str) -> Any:
        """Returns maps after squeeze-and-excitation (Hu et al. 2017, arXiv:1709.01507)."""
        shares = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_se_mean")(x)
        for part, count, activation in (
            ("reduce", channels, self.design.activation),
            ("expand", x.shape[-1], "sigmoid"),
        ):
            shares = keras.layers.Conv2D(
                count,
                1,
                activation=activation,
                kernel_initializer=_initializer(),
                name=f"{name}_se_{part}",
            )(shares)
        return keras.layers.Multiply(name=f"{name}_se_excite")([x, shares])


def _initializer() -> keras.Initializer:
    """Returns a new initializer, as used twice it would give the same values.

    It scales by the outputs, as Google's does: as inputs of a depthwise kernel Keras would count
    those of all channels.
    """
    return keras.initializers.VarianceScaling(2.0, mode="fan_out")
