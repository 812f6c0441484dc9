"""From pixels in [0, 255] to what a backbone was trained on."""

from typing import Any

import keras

from tfxfer.models.backbones.pixels import SCALINGS, Pixels


def normalize(pixels: Pixels, x: Any) -> Any:
    """Returns RGB in [0, 255] as the backbone was trained to see it.

    Keras' own layers and operations only, in float32: a saved model needs nothing of ours.

    Args:
        pixels: As of the backbone's record.
        x: Shape (batch, height, width, 3).
    """
    scaling = SCALINGS[pixels]
    if not scaling.changes_pixels:
        return x
    # Lists, as Keras writes them into the model's file.
    scale, offset = (
        list(value) if isinstance(value, tuple) else value
        for value in (scaling.scale, scaling.offset)
    )
    x = keras.layers.Rescaling(scale, offset, name="normalise", dtype="float32")(x)
    return keras.ops.flip(x, axis=-1) if scaling.is_bgr else x
