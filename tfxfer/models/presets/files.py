"""Reading the JSON files of a preset: how its pixels are scaled."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.errors import UsageError
from tfxfer.models.backbones.pixels import Scaling
from tfxfer.models.foreign.tables import read_json

CONFIG, CONVERTER, METADATA = "config.json", "image_converter.json", "metadata.json"
WEIGHTS = "model.weights.h5"

_SIZES = range(8, 2049)

_WHAT_NEXT = (
    "Save the preset together with its preprocessor, by `save_to_preset` of the classifier or of "
    "its image converter."
)


def read_scaling(path: pathlib.Path) -> tuple[Scaling, int]:
    """Returns how a preset scales its pixels, and the size of its images.

    Older files have mean and variance instead of an offset, and height and width.

    Args:
        path: Of the file of the image converter.

    Raises:
        UsageError: The file does not say it, or the images are not square.
    """
    if not path.is_file():
        raise UsageError(
            f"The preset '{path.parent}' does not say how its pixels are scaled: it has no "
            f"'{path.name}'. {_WHAT_NEXT}"
        )
    found = read_json(path).get("config")
    found = found if isinstance(found, dict) else {}
    size = found.get("image_size") or [found.get("height"), found.get("width")]
    side = read_size(size, path)
    scale = read_numbers(found, "scale", 1.0, path)
    if "variance" in found and "mean" in found:
        variance, mean = (read_numbers(found, name, 1.0, path) for name in ("variance", "mean"))
        if min(variance) <= 0:
            raise UsageError(f"'{path}' has a 'variance' that is not positive: {variance}.")
        std = [math.sqrt(one) for one in variance]
        scale = tuple(a / b for a, b in zip(_three(scale), _three(std), strict=True))
        offset = tuple(-a / b for a, b in zip(_three(mean), _three(std), strict=True))
    else:
        offset = read_numbers(found, "offset", 0.0, path)
    return described_scaling(scale, offset), side


def described_scaling(scale: tuple[float, ...], offset: tuple[float, ...]) -> Scaling:
    """Returns the scaling with these factors and summands, one or three of each, in words."""
    formula = f"RGB in [0, 255] times {_in_words(scale)} plus {_in_words(offset)}"
    return Scaling(
        short=formula,
        meaning=formula,
        scale=scale if len(scale) > 1 else scale[0],
        offset=offset if len(offset) > 1 else offset[0],
    )


def read_numbers(
    found: Mapping[str, Any], name: str, default: float, path: pathlib.Path
) -> tuple[float, ...]:
    """Returns a setting that is one number, or three for red, green and blue.

    Args:
        found: Settings of a file.
        name: Of the setting.
        default: In place of null, or of a setting that is missing.
        path: Of the file, for the message.

    Raises:
        UsageError: It is something else.
    """
    value = found.get(name)
    value = default if value is None else value
    values = value if isinstance(value, list) else [value]
    if len(values) not in (1, 3) or not all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e6
        for one in values
    ):
        raise UsageError(
            f"'{path}' has {value!r:.60} for '{name}'; it must be one number or three."
        )
    return tuple(float(one) for one in values)


def read_size(size: Any, path: pathlib.Path) -> int:
    """Returns the side of images in pixels.

    Args:
        size: Height and width, as the file has them.
        path: Of the file, for the message.

    Raises:
        UsageError: They are not two equal numbers.
    """
    if not (isinstance(size, list) and len(size) == 2 and size[0] == size[1] in _SIZES):
        raise UsageError(
            f"'{path}' has the image size {size!r:.60}; it must be two equal numbers of pixels, "
            f"from {_SIZES.start} to {_SIZES.stop - 1}."
        )
    return int(size[0])


def _three(values: tuple[float, ...] | list[float]) -> list[float]:
    return list(values) * 3 if len(values) == 1 else list(values)


def _in_words(numbers: tuple[float, ...]) -> str:
    text = ", ".join(f"{number:.6g}" for number in numbers)
    return f"({text})" if len(numbers) > 1 else text
