"""The EfficientNets of timm as networks of Keras' own layers."""

from typing import Any

import keras

from tfxfer.models.backbones.efficientnet import efficientnet
from tfxfer.models.presets.plain.efficientnets import design_of


def timm_efficientnet(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a directory of timm, with random weights.

    Args:
        input_shape: (height, width, 3) of images, scaled as the directory says.
        class_name: Of the network in timm.
        settings: "architecture", its name.
    """
    design = design_of(dict(settings)["architecture"])
    return efficientnet(input_shape, design, class_name.lower())
