"""Array files as RGB and in channels."""

import io

import numpy as np
import pytest
from conftest import file_of, scene
from PIL import Image

from tfxfer.data.image.formats import tiff
from tfxfer.data.image.formats.arrays.numpy_files import encoded as npy
from tfxfer.data.image.formats.arrays.reading import (
    as_rgb,
    in_channels,
    is_array_file,
    orientation,
    shape_of,
)
from tfxfer.data.image.formats.arrays.samples import ArrayFileError

RGB = np.asarray(scene(0, (9, 6)))
GRAY = np.asarray(scene(0, (9, 6)).convert("L"))[:, :, np.newaxis]
FIVE = np.concatenate([RGB, RGB[:, :, :2]], axis=2)


def test_numpys_files_are_images_like_any():
    assert is_array_file(npy(RGB))
    assert not is_array_file(file_of(scene(0), "PNG"))
    assert orientation(npy(RGB)) == 1
    np.testing.assert_array_equal(as_rgb(npy(RGB)), RGB)
    np.testing.assert_array_equal(as_rgb(npy(GRAY)), np.repeat(GRAY, 3, axis=2))


def test_other_channels_are_not_read_as_rgb():
    with pytest.raises(ArrayFileError, match="^it has 5 channels, not 3$"):
        as_rgb(npy(FIVE))


@pytest.mark.parametrize("kind", ["npy", "tiff"])
def test_gray_is_one_channel_or_equal_colors(kind):
    for pixels in (GRAY, np.repeat(GRAY, 3, axis=2)):
        content = (
            npy(pixels) if kind == "npy" else file_of(Image.fromarray(pixels.squeeze()), "TIFF")
        )
        np.testing.assert_array_equal(in_channels(content, 1), GRAY)
    content = npy(RGB) if kind == "npy" else file_of(Image.fromarray(RGB), "TIFF")
    with pytest.raises(ArrayFileError, match="^it has colors, not 1 channel$"):
        in_channels(content, 1)


def test_a_gray_tiff_of_16_bits_keeps_its_upper_8_as_an_array_does():
    shorts = np.random.default_rng(0).integers(0, 65536, (6, 9)).astype(np.uint16)
    content = file_of(Image.fromarray(shorts), "TIFF")
    np.testing.assert_array_equal(in_channels(content, 1)[:, :, 0], shorts >> 8)
    np.testing.assert_array_equal(in_channels(npy(shorts), 1)[:, :, 0], shorts >> 8)


def test_other_channels_than_asked_for_are_refused():
    np.testing.assert_array_equal(in_channels(npy(FIVE), 5), FIVE)
    for pixels, reason in ((FIVE, "it has 5 channels, not 4"), (GRAY, "it has 1 channel, not 4")):
        with pytest.raises(ArrayFileError, match=reason):
            in_channels(npy(pixels), 4)


def test_a_tiff_states_its_shape():
    assert shape_of(file_of(Image.fromarray(RGB), "TIFF")) == (6, 9, 3)
    assert shape_of(file_of(Image.fromarray(RGB).convert("P"), "TIFF")) == (6, 9, 3)
    assert shape_of(file_of(Image.fromarray(GRAY[:, :, 0]), "TIFF")) == (6, 9, 1)
    with pytest.raises(tiff.TiffError, match="corrupt TIFF file"):
        shape_of(b"II*\0" + bytes(30))


def test_a_tiff_of_five_channels_says_so():
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, FIVE, photometric="minisblack", planarconfig="contig")
    assert shape_of(file.getvalue()) == (6, 9, 5)
    np.testing.assert_array_equal(in_channels(file.getvalue(), 5), FIVE)
    with pytest.raises(ArrayFileError, match="^it has 5 channels, not 3$"):
        as_rgb(file.getvalue())
    floats = io.BytesIO()
    tifffile.imwrite(floats, (GRAY / 255).astype(np.float32), photometric="minisblack")
    np.testing.assert_array_equal(in_channels(floats.getvalue(), 1), GRAY)
