"""TIFF files, which Pillow reads, as TensorFlow does not: outside of SavedModels only."""

import io
import struct
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from tfxfer.data.image.formats.arrays.samples import ArrayFileError
from tfxfer.data.image.formats.picture import BACKGROUND, MAX_PIXELS
from tfxfer.data.image.formats.table import HEAD_BYTES, format_of

# Decoding reports what is wrong with an image; warnings on each odd header entry are noise.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")

# What Pillow raises for a corrupt file, or one of an unknown kind.
_FAILURES = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    RuntimeError,
    ZeroDivisionError,
    Image.DecompressionBombError,
    Warning,
    struct.error,
)

_WIDTH, _LENGTH, _ORIENTATION = 256, 257, 274
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0

_CONVERT = "convert it to an 8-bit PNG"


# What Pillow says of samples of a kind, or a number, that it does not know.
UNKNOWN_PIXELS = "unknown pixel mode"


class TiffError(ArrayFileError):
    """A TIFF file is not read; the message says why not."""


def is_tiff(content: bytes) -> bool:
    """Tells whether a file is a TIFF."""
    return content[:2] in (b"II", b"MM") and format_of(content[:HEAD_BYTES]) == "TIFF"


def decode(content: bytes) -> npt.NDArray[np.uint8]:
    """Returns the first page of a TIFF as RGB, (height, width, 3), upright.

    Transparent pixels are put on white, and samples of more than 8 bits keep their upper 8, as in
    the other formats.

    Raises:
        TiffError: It is corrupt, too large, or of an unsupported kind.
    """
    image = _open(content)
    # Before it takes memory.
    if image.width * image.height > MAX_PIXELS:
        many = image.width * image.height
        raise TiffError(f"it has {many} pixels; at most {MAX_PIXELS:,} are decoded")
    bits = image.tag_v2.get(_BITS, (8,))
    bits = bits[0] if isinstance(bits, tuple) else bits
    is_negative = image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    try:
        image.load()
        if image.mode.startswith("I;16"):
            gray = np.asarray(image).astype(np.uint16) >> max(0, int(bits) - 8)
            if is_negative:  # Pillow does it for 8 bits
                gray = 255 - gray
            return np.repeat(gray[:, :, np.newaxis].astype(np.uint8), 3, axis=2)
        if image.mode in ("I", "F", "LAB"):
            kind = {"I": "32-bit", "F": "floating-point", "LAB": "Lab"}[image.mode]
            raise TiffError(
                f"it is a TIFF file with {kind} samples, which is not supported; {_CONVERT}"
            )
        if image.has_transparency_data:
            with_alpha = image.convert("RGBA")
            white = Image.new("RGBA", image.size, 3 * (BACKGROUND,) + (255,))
            return np.asarray(Image.alpha_composite(white, with_alpha).convert("RGB"))
        return np.asarray(image.convert("RGB"))
    except _FAILURES as error:
        raise TiffError(f"it is a corrupt or incomplete TIFF file ({_first_line(error)})") from None


def shape_of(content: bytes) -> tuple[int, int, int]:
    """Returns the height, width and channels of a TIFF as it is stored; of a palette, three.

    Raises:
        TiffError: It states none.
    """
    image = _open(content)
    # Pillow's size is that of the upright image.
    height, width = (int(image.tag_v2[tag]) for tag in (_LENGTH, _WIDTH))
    return height, width, 3 if image.mode == "P" else len(image.getbands())


def orientation(content: bytes) -> np.int32:
    """Returns the orientation of a TIFF, 1 to 8."""
    try:
        number = _open(content).tag_v2.get(_ORIENTATION, 1)
    except TiffError:
        number = 1
    return np.int32(number if number in range(1, 9) else 1)


def _open(content: bytes) -> TiffImagePlugin.TiffImageFile:
    """Returns a file whose header has been read."""
    try:
        # `Image.open` warns of large images, by a limit of the whole process.
        return TiffImagePlugin.TiffImageFile(io.BytesIO(content))
    except _FAILURES as error:
        raise TiffError(
            f"it is a corrupt TIFF file, or of an unsupported kind "
            f"({_first_line(error)}); {_CONVERT}"
        ) from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
