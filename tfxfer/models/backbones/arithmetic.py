"""How much arithmetic a backbone does, and whether it would gain from bfloat16 on a CPU."""

import functools
import math
from dataclasses import dataclass

from tfxfer.config.frame import AnySize
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.layers import leaf_layers
from tfxfer.models.weights import load_backbone

# Measured on an Intel Xeon with AMX, see "bfloat16 on a CPU" in benchmarks/README.md: networks of
# full convolutions have 689 operations per value and more and train faster. Those of depthwise
# convolutions have at most 663 and do not: values are cast, which costs as much as it gains.
_INTENSE = 680

# Families below that, which need not be built to know it.
_NOT_INTENSE = ("mobilenet", "efficientnet", "nasnet", "convnext")

# Operations of a fit in float32 that take about a minute on two cores. A run in mixed precision
# builds the network twice, which takes some seconds.
_LONG = 2 * 10**13


@dataclass(frozen=True)
class Arithmetic:
    """What a network computes for one image.

    Only layers with a kernel count: convolutions and dense layers.

    Attributes:
        operations: Floating-point operations.
        values: Values in the outputs of these layers.
    """

    operations: int
    values: int

    @property
    def intensity(self) -> float:
        """Operations per value. Where it is low, memory decides the time."""
        return self.operations / max(1, self.values)


@functools.cache
def arithmetic_of(backbone: Backbone, image_size: AnySize) -> Arithmetic:
    """Returns what a backbone computes for one image.

    Args:
        backbone: The backbone; it is built with random weights.
        image_size: Size of the image, in pixels.
    """
    operations, values = 0, 0
    for layer in leaf_layers(load_backbone(backbone, image_size, weights="none")):
        kernels = [weight for weight in layer.weights if weight.name.endswith("kernel")]
        if kernels:
            places = math.prod(layer.output.shape[1:-1])
            operations += sum(2 * math.prod(kernel.shape) * places for kernel in kernels)
            values += math.prod(layer.output.shape[1:])
    return Arithmetic(operations, values)


def gains_from_bfloat16(
    backbone: Backbone, image_size: AnySize, num_train: int, epochs: int
) -> bool:
    """Tells whether a fit is faster in bfloat16 on a CPU with fast products of its matrices.

    Args:
        backbone: The backbone.
        image_size: Size of its images, in pixels.
        num_train: Training images.
        epochs: How often the backbone trains on each; 0 where only its features are computed.
    """
    if backbone.name.startswith(_NOT_INTENSE):
        return False
    arithmetic = arithmetic_of(backbone, image_size)
    # Features take one forward pass. A train step takes three: its backward pass takes two.
    is_long = arithmetic.operations * num_train * (1 + 3 * epochs) >= _LONG
    return is_long and arithmetic.intensity >= _INTENSE
