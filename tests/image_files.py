"""One image as a file of every format and kind, and what Pillow decodes from it."""

import io
import struct

import numpy as np
import tensorflow as tf
from conftest import file_of
from PIL import Image, ImageOps


def picture(height: int, width: int) -> Image.Image:
    """Returns a smooth, colorful image, which JPEG hardly changes."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def as_pillow_shows(content: bytes) -> np.ndarray:
    """Returns an image upright, and on white where it is transparent."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


PICTURE = picture(37, 53)
ALPHA = Image.fromarray(np.tile(np.linspace(0, 255, 53).astype(np.uint8), (37, 1)))
CLEAR = PICTURE.copy()
CLEAR.putalpha(ALPHA)
HOLES = PICTURE.quantize(20)  # whose color 3 is transparent
FILES = {
    "jpeg": file_of(PICTURE, "JPEG", quality=80),
    "progressive jpeg": file_of(PICTURE, "JPEG", progressive=True),
    "jpeg with full color": file_of(PICTURE, "JPEG", subsampling=0),
    "gray jpeg": file_of(PICTURE.convert("L"), "JPEG"),
    "cmyk jpeg": file_of(PICTURE.convert("CMYK"), "JPEG"),
    "png": file_of(PICTURE, "PNG"),
    "gray png": file_of(PICTURE.convert("L"), "PNG"),
    "png of 1 bit": file_of(PICTURE.convert("1"), "PNG"),
    "png with palette": file_of(PICTURE.convert("P"), "PNG"),
    "png with alpha": file_of(CLEAR, "PNG"),
    "gray png with alpha": file_of(CLEAR.convert("LA"), "PNG"),
    "png with a transparent index": file_of(HOLES, "PNG", transparency=3),
    "png with a palette of alphas": file_of(HOLES, "PNG", transparency=bytes(range(0, 200, 10))),
    "png with a transparent color": file_of(
        PICTURE.quantize(20).convert("RGB"),
        "PNG",
        transparency=PICTURE.quantize(20).convert("RGB").getpixel((5, 5)),
    ),
    "gray png with a transparent gray": file_of(
        PICTURE.convert("L"), "PNG", transparency=PICTURE.convert("L").getpixel((5, 5))
    ),
    "bmp": file_of(PICTURE, "BMP"),
    "gray bmp": file_of(PICTURE.convert("L"), "BMP"),
    "bmp of 1 bit": file_of(PICTURE.convert("1"), "BMP"),
    "bmp with palette": file_of(PICTURE.convert("P"), "BMP"),
    "bmp with palette of 20": file_of(PICTURE.quantize(20), "BMP"),
    "bmp with alpha": file_of(CLEAR, "BMP"),
    "gif": file_of(PICTURE, "GIF"),
    "gray gif": file_of(PICTURE.convert("L"), "GIF"),
    "animated gif": file_of(
        PICTURE, "GIF", save_all=True, append_images=[Image.new("RGB", PICTURE.size, "red")]
    ),
    "gif with a transparent color": file_of(HOLES, "GIF", transparency=3),
    "webp": file_of(PICTURE, "WebP", quality=80),
    "lossless webp": file_of(PICTURE, "WebP", lossless=True),
    "webp with alpha": file_of(CLEAR, "WebP", lossless=True, exact=True),
    "animated webp": file_of(
        PICTURE,
        "WebP",
        lossless=True,
        save_all=True,
        append_images=[Image.new("RGB", PICTURE.size, "red")],
    ),
}


def exif_of(number: int, order: str = "<", size: int = 26) -> bytes:
    """Returns an EXIF block that states an orientation, or the start of one."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    table = struct.pack(order + "HHHIHH", 1, 0x112, 3, 1, number, 0)
    return b"Exif\0\0" + (mark + struct.pack(order + "I", 8) + table + bytes(4))[:size]


def orientations():
    """Yields files of every orientation in every format that can state it."""
    for number in range(1, 9):
        for order, name in (("<", "little"), (">", "big")):
            exif = exif_of(number, order)
            yield f"jpeg {number} {name}", file_of(PICTURE, "JPEG", exif=exif)
        exif = exif_of(number)
        yield f"png {number}", file_of(PICTURE, "PNG", exif=exif)
        yield f"webp {number}", file_of(PICTURE, "WebP", lossless=True, exif=exif)
    jpeg = FILES["jpeg"]
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(exif_of(6))) + exif_of(6)
    tables = jpeg.index(b"\xff\xdb")  # after JFIF, a comment and a fill byte
    comment = b"\xff\xfe\0\x05abc\xff"
    yield "jpeg 6 after others", jpeg[:tables] + comment + segment + jpeg[tables:]


TURNED = dict(orientations())
MATRIX = FILES | TURNED


def png_of_16_bits(channels: int, color_type: int) -> tuple[bytes, np.ndarray]:
    """Returns a 16-bit PNG, written without Pillow, and its samples."""
    samples = np.random.default_rng(channels).integers(0, 2**16, (37, 53, channels), np.uint16)
    return tf.io.encode_png(samples).numpy(), samples


def eagerly_and_in_a_graph(function, content):
    """Returns the results of a function of bytes, eager and traced; it is traced once."""
    graph = GRAPHS.setdefault(function, tf.function(function))
    return [call(tf.constant(content)).numpy() for call in (function, graph)]


GRAPHS: dict = {}


FORMAT_NAMES = {name.upper(): name for name in ("JPEG", "PNG", "BMP", "GIF", "WebP", "TIFF")}


def of_size(name: str, height: int, width: int) -> bytes:
    """Returns a file whose header states a wrong size."""
    content = bytearray(FILES[name])
    kind, start = {
        "jpeg": (">HH", content.find(b"\xff\xc0") + 5),
        "png": (">II", 16),
        "bmp": ("<II", 18),
        "gif": ("<HH", 6),
        "webp": ("<HH", 26),
    }[name]
    first, second = (height, width) if name == "jpeg" else (width, height)
    content[start : start + struct.calcsize(kind)] = struct.pack(kind, first, second)
    return bytes(content)
