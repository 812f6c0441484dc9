"""The images of a source with as many channels as a model takes."""

import dataclasses

import tensorflow as tf

from tfxfer.config.frame import RGB, in_words
from tfxfer.data.image.channels import RGBA, is_rgba, to_channels
from tfxfer.data.image.formats.arrays.reading import is_array_file, shape_of
from tfxfer.data.image.formats.arrays.samples import ArrayFileError
from tfxfer.data.source import Source, Split
from tfxfer.errors import UsageError

# Images that tell which channels a dataset has, before all are read.
_SAMPLE_SIZE = 8


def with_channels(source: Source, channels: int, model: str = "") -> Source:
    """Returns a source whose images are decoded, with so many channels; RGB stays as it is.

    Args:
        source: Any source, whose images are files or RGB.
        channels: How many.
        model: What takes so many; "" if it is the setting that says so.

    Raises:
        UsageError: Its images have others.
    """
    for split in source.splits.values():
        problem = _problem(source.name, split, channels, is_asked=not model)
        if problem:
            asked = f"The model '{model}' takes images of {in_words(channels)}"
            asked = asked if model else f"Setting 'channels' (--channels) is {channels}"
            raise UsageError(f"{asked}, but {problem}")
    if channels == RGB:
        return source
    splits = {name: split_with_channels(one, channels) for name, one in source.splits.items()}
    return dataclasses.replace(source, splits=splits)


def split_with_channels(split: Split, channels: int) -> Split:
    """Returns a split whose images are decoded, with so many channels; RGB stays as it is."""
    if channels == RGB:
        return split
    opened, read = split.open_images, split.read_image
    if read is not None:
        return split.read_with(lambda index: to_channels(read(index), channels))

    def open_images() -> tf.data.Dataset:
        return opened().map(lambda image: to_channels(image, channels), tf.data.AUTOTUNE)

    return dataclasses.replace(split, open_images=open_images)


def _problem(name: str, split: Split, channels: int, *, is_asked: bool) -> str:
    """Returns what is wrong if no image of a sample can have so many channels, or "".

    Where some can, those that cannot are named when all are read.
    """
    if split.read_image is None and channels == RGB:
        return ""  # the first image may take long to reach, and array files lie in folders
    sample = split.sample(_SAMPLE_SIZE)
    if sample.element_spec.dtype != tf.string:
        what_next = "Leave it out, or use .npy or TIFF files." if is_asked else "Use others."
        return "" if channels in (1, RGB) else f"'{name}' has RGB images. {what_next}"
    contents = list(sample.ignore_errors().as_numpy_iterator())
    if channels == RGBA and any(map(is_rgba, contents)):
        return ""
    found = list(map(_stated, contents))
    if not found or any(_may_have(stated, channels) for stated in found):
        return ""
    example, stated = split.describe(0), found[0]
    if not stated:
        what_next = "Use .npy or TIFF files" + (", or leave it out." if is_asked else ".")
        return f"'{name}' has files that do not have so many, such as '{example}'. {what_next}"
    what_next = f"Give --channels {stated}." if is_asked else "Use others."
    return f"the images of '{name}' have {in_words(stated)}, such as '{example}'. {what_next}"


def _stated(content: bytes) -> int | None:
    """Returns how many channels a file states; 0 of a picture, None where it cannot be read."""
    if not is_array_file(content):
        return 0
    try:
        return shape_of(content)[2]
    except ArrayFileError:
        return None


def _may_have(stated: int | None, channels: int) -> bool:
    """Tells whether an image that states its channels may be read with others."""
    if stated is None or stated == channels:
        return True
    # Colors may all be gray, and gray becomes RGB; alpha is put on white.
    return channels in (1, RGB) and stated in ((0, 1, RGB) if channels == RGB else (0, RGB))
