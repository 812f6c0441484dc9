"""JPEG files, by the functions of their own."""

import numpy as np
import pytest
import tensorflow as tf
from image_files import FILES, TURNED, as_pillow_shows, exif_of

from tfxfer.data.image.decoding import decode
from tfxfer.data.image.formats import jpeg
from tfxfer.data.image.formats.content import characters


@pytest.mark.parametrize("name", [name for name in FILES if "jpeg" in name])
def test_every_kind_of_jpeg_is_what_pillow_shows(name):
    content = tf.constant(FILES[name])
    assert jpeg.why_unreadable(content).numpy() == b""
    assert jpeg.height_and_width(content).numpy().tolist() == [37, 53]
    difference = jpeg.decode(content).numpy().astype(int) - as_pillow_shows(FILES[name])
    assert np.abs(difference).max() <= (1 if "alpha" in name else 0)


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("order", ["little", "big"])
def test_the_orientation_of_a_jpeg_is_that_of_its_exif(number, order):
    content = TURNED[f"jpeg {number} {order}"]
    assert jpeg.orientation(tf.constant(content)).numpy() == number


def test_the_exif_of_a_jpeg_is_found_behind_other_segments():
    assert jpeg.orientation(tf.constant(TURNED["jpeg 6 after others"])).numpy() == 6


def test_a_jpeg_that_is_cut_off_says_so():
    reason = jpeg.why_unreadable(tf.constant(FILES["jpeg"][:-1])).numpy()
    assert reason == b"it is a truncated JPEG file"


def with_segments(*segments):
    """Returns a JPEG with segments behind its JFIF one, each a marker and its content."""
    parts = [
        b"\xff" + bytes([marker]) + (len(content) + 2).to_bytes(2, "big") + content
        for marker, content in segments
    ]
    return FILES["jpeg"][:20] + b"".join(parts) + FILES["jpeg"][20:]


COMMENT, APP1, APP4 = 0xFE, 0xE1, 0xE4
EXIF = exif_of(6)


@pytest.mark.parametrize(
    ("segments", "is_plain"),
    [
        ([], True),
        ([(COMMENT, b"AppleMark\n")], True),
        ([(COMMENT, b"CREATOR: gd-jpeg v1.0, EXEE Ex.")], True),
        ([(COMMENT, b"")], True),
        ([(COMMENT, b"of bytes \xff\x01")], False),
        ([(COMMENT, b"Exif\0\0")], False),
        ([(COMMENT, b"first"), (APP1, EXIF)], False),
        ([(APP1, EXIF), (COMMENT, b"second")], False),
        ([(APP4, b"something else")], False),
    ],
)
def test_a_jpeg_with_a_comment_is_plain_unless_it_may_have_exif(segments, is_plain):
    content = with_segments(*segments)
    start = characters(tf.constant(content[: jpeg.HEAD_BYTES]))
    assert bool(jpeg.is_plain(start, tf.constant(content))) == is_plain
    shown = decode(content, portable=False)
    assert np.array_equal(shown, decode(content))
    assert np.array_equal(shown, as_pillow_shows(content))
