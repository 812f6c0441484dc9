"""TIFF files of any channels, held against the arrays that were written."""

import io
import sys

import numpy as np
import pytest

from tfxfer.data.image.formats.arrays.bands import decode, shape_of
from tfxfer.data.image.formats.arrays.samples import ArrayFileError, as_pixels

tifffile = pytest.importorskip("tifffile")

BYTES = np.random.default_rng(0).integers(0, 256, (11, 7, 5), np.uint8)
SHORTS = np.random.default_rng(1).integers(0, 65536, (11, 7, 5)).astype(np.uint16)
FLOATS = np.random.default_rng(2).uniform(0, 1, (11, 7, 5)).astype(np.float32)


def tiff(array, **options):
    file = io.BytesIO()
    defaults = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(file, array, **{**defaults, **options})
    return file.getvalue()


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("array", [BYTES, SHORTS, FLOATS], ids=["uint8", "uint16", "float32"])
def test_an_image_is_the_array_that_was_written(array, compression):
    if compression == "lzw":
        pytest.importorskip("imagecodecs")
    content = tiff(array, compression=compression)
    assert shape_of(content) == (11, 7, 5)
    np.testing.assert_array_equal(decode(content), as_pixels(array))


@pytest.mark.parametrize(
    "options",
    [
        {"planarconfig": "separate"},
        {"planarconfig": None, "imagej": True, "metadata": {"axes": "CYX"}, "photometric": None},
        {"planarconfig": None},  # five pages
        {"planarconfig": None, "ome": True, "metadata": {"axes": "CYX"}},
    ],
    ids=["planes", "imagej", "pages", "ome"],
)
def test_channels_may_come_first(options):
    content = tiff(np.ascontiguousarray(np.moveaxis(BYTES, -1, 0)), **options)
    assert shape_of(content) == (11, 7, 5)
    np.testing.assert_array_equal(decode(content), BYTES)


def test_one_channel_may_have_an_axis_or_none():
    for array in (BYTES[:, :, 0], BYTES[:, :, :1]):
        np.testing.assert_array_equal(decode(tiff(array, planarconfig=None)), BYTES[:, :, :1])


def test_an_image_may_be_one_pixel_wide():
    content = tiff(BYTES[:, :1])
    assert shape_of(content) == (11, 1, 5)
    np.testing.assert_array_equal(decode(content), BYTES[:, :1])


def test_white_may_be_zero():
    content = tiff(BYTES[:, :, 0], photometric="miniswhite", planarconfig=None)
    np.testing.assert_array_equal(decode(content), 255 - BYTES[:, :, :1])


@pytest.mark.parametrize(
    ("number", "upright"),
    [
        (1, BYTES),
        (2, BYTES[:, ::-1]),
        (3, np.rot90(BYTES, 2)),
        (4, BYTES[::-1]),
        (5, BYTES.transpose(1, 0, 2)),
        (6, np.rot90(BYTES, -1)),
        (7, np.rot90(BYTES.transpose(1, 0, 2), 2)),
        (8, np.rot90(BYTES)),
        (9, BYTES),
    ],
)
def test_the_orientation_is_applied(number, upright):
    content = tiff(BYTES, extratags=[(274, "H", 1, number, True)])
    np.testing.assert_array_equal(decode(content), upright)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tiff(BYTES.astype("int32")), "samples are of type int32"),
        (tiff(FLOATS * 2), "floats must be in"),
        (tiff(np.full_like(FLOATS, np.nan)), "it has NaN"),
        (
            tiff(np.zeros((4, 3, 8, 8), np.uint8), planarconfig=None, photometric="minisblack"),
            "it is a TIFF file with the axes",
        ),
        (
            tiff(
                np.zeros((9, 8, 8), np.uint8),
                planarconfig=None,
                imagej=True,
                metadata={"axes": "ZYX"},
            ),
            "with the axes ZYX",
        ),
        (
            tiff(
                BYTES[:, :, 0],
                photometric="palette",
                planarconfig=None,
                colormap=np.zeros((3, 256), np.uint16),
            ),
            "with a palette",
        ),
        (tiff(BYTES)[:200], "corrupt or unsupported|incomplete"),
        (b"II*\0" + bytes(40), "corrupt or unsupported"),
        (b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 400, "corrupt or unsupported"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(content, reason):
    with pytest.raises(ArrayFileError, match=reason) as caught:
        decode(content)
    assert "\n" not in str(caught.value)


def test_no_file_cut_anywhere_ends_in_another_error():
    content = tiff(BYTES, compression="zlib")
    for size in range(0, len(content), 7):
        try:
            found = decode(content[:size])
        except ArrayFileError:
            continue
        assert found.shape == BYTES.shape


def test_a_header_that_lies_takes_no_memory(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(BYTES))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[256].overwrite(40_000)
        file.pages[0].tags[257].overwrite(5_000)
    with pytest.raises(ArrayFileError, match=r"at most 100,000,000 pixels|incomplete"):
        decode(path.read_bytes())


def test_without_tifffile_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ArrayFileError, match=r"pip install 'tfxfer\[tiff\]'"):
        shape_of(tiff(BYTES))
