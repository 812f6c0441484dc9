"""Thumbnails embedded in the report: sprite sheets, and larger ones with heat maps."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import RGB
from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.framing import PADDING
from tfxfer.data.image.order import Numbers

# JPEG blocks are 16 pixels: tiles aligned to them do not bleed into each other.
_BLOCK = 16

_SHEET_COLUMNS, _SHEET_ROWS = 16, 16

_QUALITY = 75

_READ_TOGETHER = 64

# Color map of the heat, from low to high: six anchors of matplotlib's inferno (Smith & van der Walt
# 2015). Its lightness increases monotonically, so it is readable in grayscale.
_HEAT_COLORS = np.array(
    [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]],
    np.float32,
)


@dataclass(frozen=True)
class Sheets:
    """Sprite sheets: many small images on few large ones.

    Attributes:
        urls: The sheets, as `data:` URLs.
        side: Side of each image in pixels.
        pitch: Distance between images in pixels.
        columns: Images per row of a sheet.
        rows: Rows of a sheet.
    """

    urls: tuple[str, ...]
    side: int
    pitch: int
    columns: int = _SHEET_COLUMNS
    rows: int = _SHEET_ROWS


def read_thumbnails(
    images: Images, numbers: npt.NDArray[np.int64], side: int
) -> npt.NDArray[np.uint8]:
    """Reads images as the model sees them, resized if they are larger than `side`.

    Args:
        images: Images of a split.
        numbers: Which of them, in any order.
        side: Maximum side in pixels; the longer one where images are not square.

    Returns:
        uint8, shape (num_thumbnails, height, width, channels), in the order of `numbers`.
    """
    found = [shrunk(np.zeros((0, *images.frame.shape), np.uint8), side)]
    ascending, place = np.unique(numbers, return_inverse=True)
    if len(ascending):
        batches = evaluation_batches(images, _READ_TOGETHER, Numbers(ascending))
        found += [shrunk(squares, side) for squares, _ in batches.as_numpy_iterator()]
    return np.concatenate(found)[place]


def visible(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns images, (..., channels), as people can see them: the first three channels, or gray.

    Examples:
        >>> visible(np.array([[1], [2]], np.uint8)).tolist()
        [[1, 1, 1], [2, 2, 2]]
        >>> visible(np.array([[1, 2, 3, 4]], np.uint8)).tolist()
        [[1, 2, 3]]
    """
    return pixels[..., :RGB] if pixels.shape[-1] >= RGB else np.repeat(pixels[..., :1], RGB, -1)


def shrunk(squares: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Returns images, shape (batch, height, width, channels), resized to a longer side of `side`.

    Those that are smaller are returned as they are.
    """
    longer = max(squares.shape[1:3])
    if longer <= side:
        return squares
    size = [max(1, round(side * length / longer)) for length in squares.shape[1:3]]
    small = tf.image.resize(squares, size, "area").numpy()
    pixels: npt.NDArray[np.uint8] = small.round().astype(np.uint8)
    return pixels


def lay_out(thumbnails: npt.NDArray[np.uint8]) -> Sheets:
    """Arranges thumbnails, shape (num_thumbnails, height, width, channels), on sheets, row by row.

    Those that are not square are centered on gray.
    """
    thumbnails = _squared(visible(thumbnails))
    side = thumbnails.shape[1]
    pitch = math.ceil(side / _BLOCK) * _BLOCK
    margin = pitch - side
    padded = np.pad(thumbnails, ((0, 0), (0, margin), (0, margin), (0, 0)), mode="edge")
    urls = []
    per_sheet = _SHEET_COLUMNS * _SHEET_ROWS
    for start in range(0, len(padded), per_sheet):
        some = padded[start : start + per_sheet]
        blank = np.zeros((per_sheet - len(some), pitch, pitch, 3), np.uint8)
        grid = np.concatenate([some, blank]).reshape(_SHEET_ROWS, _SHEET_COLUMNS, pitch, pitch, 3)
        urls.append(jpeg_url(grid.swapaxes(1, 2).reshape(_SHEET_ROWS * pitch, -1, 3)))
    return Sheets(tuple(urls), side, pitch)


def _squared(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns thumbnails centered on gray squares; square ones as they are."""
    side = max(thumbnails.shape[1:3])
    missing = [side - length for length in thumbnails.shape[1:3]]
    margins = [(0, 0), *((gap // 2, gap - gap // 2) for gap in missing), (0, 0)]
    return np.pad(thumbnails, margins, constant_values=PADDING) if any(missing) else thumbnails


def jpeg_url(pixels: npt.NDArray[np.uint8]) -> str:
    """Returns a thumbnail, shape (height, width, channels), as a `data:` URL of a JPEG."""
    content = tf.io.encode_jpeg(visible(pixels), quality=_QUALITY, optimize_size=True).numpy()
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def heat_colors(heat: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """Returns the colors of heat maps, RGB in [0, 255], shape (batch, height, width, 3).

    Args:
        heat: In [0, 1], shape (batch, rows, columns); interpolated.
        height: Height of the result in pixels.
        width: Its width.
    """
    fine = tf.image.resize(heat[..., None], (height, width), "bicubic").numpy()
    fine = np.clip(fine, 0, 1)  # (batch, height, width, 1)
    anchors = np.linspace(0, 1, len(_HEAT_COLORS))
    colors: npt.NDArray[np.float32] = np.stack(
        [np.interp(fine[..., 0], anchors, channel) for channel in _HEAT_COLORS.T], axis=-1
    )
    return colors


def with_heat(
    thumbnails: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Overlays heat maps on thumbnails.

    Args:
        thumbnails: Shape (batch, height, width, channels).
        heat: In [0, 1], shape (batch, rows, columns); interpolated to the size of the thumbnails.
    """
    colors = heat_colors(heat, *thumbnails.shape[1:3])
    gray = thumbnails.astype(np.float32).mean(axis=-1, keepdims=True)
    mixed: npt.NDArray[np.uint8] = (0.45 * gray + 0.55 * colors).round().astype(np.uint8)
    return mixed


def data_urls(thumbnails: npt.NDArray[np.uint8]) -> Sequence[str]:
    """Returns thumbnails, shape (num_thumbnails, height, width, channels), as `data:` URLs."""
    return [jpeg_url(thumbnail) for thumbnail in thumbnails]
