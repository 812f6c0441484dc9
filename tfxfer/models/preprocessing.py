"""What a model begins with: its input, and from pixels in [0, 255] to what a backbone knows."""

from collections.abc import Mapping
from typing import Any

import keras

from tfxfer.config.frame import RGB, FitImages, Frame
from tfxfer.models.backbones.pixels import SCALINGS, Pixels, Scaling

# The name of a model's input says how images are fitted into it, so that every file of the model
# says it, too. Models of older versions, and those from elsewhere, take a central part.
_INPUT_NAMES: Mapping[FitImages, str] = {
    "crop": "image",
    "stretch": "stretched_image",
    "pad": "padded_image",
}

# How it ends where the channels are not red, green and blue: a gray image of ours is not converted.
_CHANNELS = "_channels"


def image_input(frame: Frame) -> Any:
    """Returns the input of a model that takes images in a frame."""
    ending = "" if frame.channels == RGB else _CHANNELS
    return keras.Input(frame.shape, name=f"{_INPUT_NAMES[frame.fit]}{ending}")


def frame_of(model: keras.Model) -> Frame:
    """Returns the frame of a model of images, and how images are to be fitted into it."""
    fits: dict[str, FitImages] = {name: fit for fit, name in _INPUT_NAMES.items()}
    _, height, width, channels = model.input_shape
    fit = fits.get(model.inputs[0].name.removesuffix(_CHANNELS), "crop")
    return Frame(int(height), int(width), fit, int(channels))


def takes_channels(image: Any) -> bool:
    """Tells whether an input is one of ours for images that are not RGB."""
    names = {f"{name}{_CHANNELS}" for name in _INPUT_NAMES.values()}
    return image.name in names and len(image.shape) == 4


def normalize(pixels: Pixels | Scaling, x: Any) -> Any:
    """Returns images in [0, 255] as the backbone was trained to see them.

    Keras' own layers and operations only, in float32: a saved model needs nothing of ours.

    Args:
        pixels: As of the backbone's record.
        x: Shape (batch, height, width, channels); three are red, green and blue.
    """
    scaling = pixels if isinstance(pixels, Scaling) else SCALINGS[pixels]
    scaling = scaling.of_channels(x.shape[-1])
    if not scaling.changes_pixels:
        return x
    # Lists, as Keras writes them into the model's file.
    scale, offset = (
        list(value) if isinstance(value, tuple) else value
        for value in (scaling.scale, scaling.offset)
    )
    x = keras.layers.Rescaling(scale, offset, name="normalise", dtype="float32")(x)
    return keras.ops.flip(x, axis=-1) if scaling.is_bgr else x
