"""JPEG files of many writers, which Pillow and the decoder must see alike, to the last bit."""

import shutil
import struct
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from conftest import file_of
from image_files import as_pillow_shows, picture
from PIL import Image

from tfxfer.data.image.decoding import decode, orientation
from tfxfer.data.image.failures import readable_reason

# The side of the squares that the exported graph gives is that of the picture: nothing is resized.
HEIGHT = WIDTH = 40


def segments(jpeg: bytes) -> tuple[list[bytes], bytes]:
    """Returns the segments before the first scan, and the rest."""
    found, at = [], 2
    while jpeg[at + 1] != 0xDA:
        size = 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        found.append(jpeg[at : at + size])
        at += size
    return found, jpeg[at:]


def joined(found: list[bytes], rest: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(found) + rest


def without(jpeg: bytes, *kinds: int) -> bytes:
    found, rest = segments(jpeg)
    return joined([one for one in found if one[1] not in kinds], rest)


def first(jpeg: bytes, *more: bytes) -> bytes:
    found, rest = segments(jpeg)
    return joined([*more, *found], rest)


def last(jpeg: bytes, *more: bytes) -> bytes:
    """Returns a JPEG with more segments behind its tables."""
    found, rest = segments(jpeg)
    return joined([*found, *more], rest)


def segment(kind: int, content: bytes) -> bytes:
    return bytes([0xFF, kind]) + struct.pack(">H", 2 + len(content)) + content


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def with_ids(jpeg: bytes, ids: bytes) -> bytes:
    """Returns a baseline JPEG of three components that has other numbers for them."""
    found, rest = segments(jpeg)
    for place, one in enumerate(found):
        if one[1] == 0xC0:
            frame = bytearray(one)
            frame[10], frame[13], frame[16] = ids
            found[place] = bytes(frame)
    scan = bytearray(rest)
    scan[5], scan[7], scan[9] = ids
    return joined(found, bytes(scan))


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
EXIF = segment(
    0xE1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x112, 3, 1, 6, 0) + bytes(4)
)
NIKON = segment(0xEE, b"Nikon" + bytes(7))
PICTURE = picture(HEIGHT, WIDTH)
CMYK = np.random.default_rng(1).integers(0, 256, (5, 5, 4), dtype=np.uint8)  # with black
INKS = Image.fromarray(CMYK, "CMYK").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def patched():
    """Yields files of Pillow whose markers were changed."""
    ycc, inks = file_of(PICTURE, "JPEG", subsampling=0), file_of(INKS, "JPEG", quality=90)
    bare, bare_inks = without(ycc, 0xE0), without(inks, 0xEE)
    yield "ycc", ycc
    yield "ycc without markers", bare
    yield "ycc, adobe", first(bare, adobe(1))
    yield "ycc, jfif and adobe", first(ycc, adobe(1))
    yield "ycc, jfif against adobe", first(ycc, adobe(0))
    yield "rgb, adobe", first(bare, adobe(0))
    yield "rgb by ids", with_ids(bare, b"RGB")
    yield "rgb by ids against jfif", with_ids(ycc, b"RGB")
    yield "ids in lower case", with_ids(bare, b"rgb")
    yield "odd ids", with_ids(bare, b"\5\6\7")
    yield "rgb of pillow", file_of(PICTURE, "JPEG", keep_rgb=True)
    yield "two markers of adobe", first(bare, adobe(1), adobe(0))
    yield "two markers the other way", first(bare, adobe(0), adobe(1))
    yield "gray, adobe", first(file_of(PICTURE.convert("L"), "JPEG"), adobe(0))
    yield "mpo", file_of(PICTURE, "MPO", save_all=True, append_images=[INKS.convert("RGB")])
    yield "cmyk", inks
    yield "cmyk without adobe", bare_inks
    yield "cmyk, jfif", first(bare_inks, JFIF)
    yield "cmyk, jfif and adobe", first(inks, JFIF)
    yield "cmyk, adobe behind the tables", last(bare_inks, adobe(0))
    yield "cmyk, another maker", first(bare_inks, NIKON)
    yield "cmyk, adobe too short", first(bare_inks, segment(0xEE, b"Adobe\0\x64\0\0"))
    yield "cmyk, adobe longer", first(bare_inks, adobe(0)[:3] + b"\x11" + adobe(0)[4:] + b"abc")
    yield "cmyk, two markers", first(inks, adobe(2))
    yield "cmyk, a text of adobe's", first(bare_inks, segment(0xFE, b"Adobe Photoshop"))
    yield "cmyk, progressive", without(file_of(INKS, "JPEG", progressive=True), 0xEE)
    yield "cmyk, more bytes behind", bare_inks + bytes(50)
    yield "cmyk, filled up", b"\xff\xd8\xff" + bare_inks[2:]
    yield "ycck", first(bare_inks, adobe(2))
    yield "ycck, two markers", first(bare_inks, adobe(0), NIKON, adobe(2))
    yield (
        "ycck, progressive",
        first(without(file_of(INKS, "JPEG", progressive=True), 0xEE), adobe(2)),
    )


def of_libjpeg():
    """Yields what libjpeg's own tools write."""
    if shutil.which("cjpeg"):
        for options in (
            "",
            "-grayscale",
            "-rgb",
            "-sample 1x1",
            "-sample 2x1",
            "-sample 1x2",
            "-sample 2x2",
            "-sample 4x1",
            "-sample 4x2",
            "-sample 2x2,1x2,2x1",
            "-sample 1x1,2x2,2x2",
            "-progressive",
            "-arithmetic",
            "-arithmetic -progressive",
            "-restart 1",
            "-restart 3B",
            "-quality 1",
        ):
            yield f"cjpeg {options}", run(["cjpeg", *options.split()], file_of(PICTURE, "PPM"))
    if shutil.which("jpegtran"):
        for name in ("ycc", "cmyk", "cmyk without adobe", "ycck"):
            for options in ("-optimize", "-progressive", "-arithmetic", "-copy none", "-restart 1"):
                content = run(["jpegtran", *options.split()], PATCHED[name])
                yield f"jpegtran {options}: {name}", content


def of_imagemagick():
    """Yields what ImageMagick writes, with its markers and without."""
    program = shutil.which("magick") or next(
        (path for path in ("/usr/bin/convert",) if shutil.which(path)), None
    )
    if program is None or b"ImageMagick" not in run([program, "-version"], b""):
        return
    for options in (
        "",
        "-colorspace Gray",
        "-sampling-factor 4:2:0",
        "-sampling-factor 4:1:1",
        "-sampling-factor 4:4:0",
        "-interlace JPEG",
        "-colorspace CMYK",
        "-colorspace CMYK -interlace JPEG",
        "-colorspace CMYK -sampling-factor 2x2",
    ):
        command = [program, "png:-", *options.split(), "jpeg:-"]
        content = run(command, file_of(PICTURE, "PNG"))
        yield f"imagemagick {options}", content
        yield f"imagemagick {options}, without adobe", without(content, 0xEE)


def run(command: list[str], content: bytes) -> bytes:
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


PATCHED = dict(patched())
WRITTEN = PATCHED | dict(of_libjpeg()) | dict(of_imagemagick())
MATRIX = WRITTEN | {
    f"{name}, {where.__name__} turned": where(WRITTEN[name], EXIF)
    for name in ("rgb, adobe", "mpo", "cmyk", "cmyk without adobe", "ycck", "ycc")
    for where in (first, last)
}


@pytest.mark.parametrize("name", MATRIX)
def test_a_jpeg_of_any_writer_is_what_pillow_shows(name):
    content = MATRIX[name]
    np.testing.assert_array_equal(decode(tf.constant(content)), as_pillow_shows(content))
    assert orientation(tf.constant(content)).numpy() == (6 if name.endswith("turned") else 1)


def test_it_is_in_tf_data():
    files = tf.data.Dataset.from_tensor_slices(list(MATRIX.values()))
    in_pipeline = files.map(lambda content: decode(content, portable=False), 2)
    for name, image in zip(MATRIX, in_pipeline.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(image, as_pillow_shows(MATRIX[name]), name)


@pytest.mark.slow
def test_it_is_in_a_saved_model(tmp_path):
    module = tf.Module()
    module.decode = tf.function(decode, [tf.TensorSpec((), tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path)).decode
    for name, content in MATRIX.items():
        np.testing.assert_array_equal(loaded(tf.constant(content)), as_pillow_shows(content), name)


def test_black_alone_and_every_mixture_of_two_inks_are_as_in_pillow():
    # All pairs of cyan and black, in squares that JPEG keeps nearly as they are.
    cyan, black = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    inks = np.stack([cyan, 255 - cyan, cyan // 2, black], axis=2)
    content = file_of(Image.fromarray(inks, "CMYK"), "JPEG", quality=100, subsampling=0)
    for one in (content, without(content, 0xEE), first(without(content, 0xEE), adobe(2))):
        np.testing.assert_array_equal(decode(tf.constant(one)), as_pillow_shows(one))


@pytest.mark.parametrize("name", ["cmyk without adobe", "ycck"])
def test_a_corrupt_file_of_four_inks_is_refused(name):
    content = MATRIX[name]
    found, rest = segments(content)
    for corrupt in (
        content[: len(content) // 2],
        b"\xff\xd8" + b"\0\0\0" + b"".join(found) + rest,  # what is between segments
    ):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(tf.constant(corrupt))


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (1, 0xC3, "lossless"),
        (1, 0xC5, "hierarchical"),
        (1, 0xF7, "JPEG-LS"),
        (4, 12, "12 bits"),
        (9, 2, "two components"),
    ],
)
def test_a_jpeg_of_a_kind_that_is_not_read_says_which(place, value, told):
    found, rest = segments(PATCHED["ycc"])
    frames = [
        one[:place] + bytes([value]) + one[place + 1 :] if one[1] == 0xC0 else one for one in found
    ]
    content = joined(frames, rest)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(tf.constant(content), "the third: ", portable=False)
    message = readable_reason(caught.value)
    assert message.startswith("the third: it is an unsupported kind of JPEG")
    assert told in message
    assert "convert" in message
