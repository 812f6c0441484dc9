"""TIFF files, which a SavedModel refuses."""

import io

import numpy as np
import pytest
import tensorflow as tf
from conftest import file_of
from image_files import PICTURE, as_pillow_shows
from PIL import Image

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.decoding import (
    decode,
    orientation,
    servable,
    upright_size,
)
from tfxfer.data.image.failures import readable_reason
from tfxfer.data.image.formats.picture import MAX_PIXELS
from tfxfer.data.image.formats.recognition import decoded_format
from tfxfer.data.image.inspection import inspect
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.errors import DataError

CLEAR = PICTURE.copy()
CLEAR.putalpha(PICTURE.convert("L"))
GRAY_16 = np.arange(37 * 53, dtype=np.uint16).reshape(37, 53) * 33
TURNED = Image.Exif()
TURNED[0x112] = 6
OTHER = Image.new("RGB", (20, 20), "red")
FILES = {
    "rgb": file_of(PICTURE, "TIFF"),
    "gray": file_of(PICTURE.convert("L"), "TIFF"),
    "1 bit": file_of(PICTURE.convert("1"), "TIFF"),
    "1 bit, fax": file_of(PICTURE.convert("1"), "TIFF", compression="group4"),
    "palette": file_of(PICTURE.convert("P"), "TIFF"),
    "cmyk": file_of(PICTURE.convert("CMYK"), "TIFF"),
    "alpha": file_of(CLEAR, "TIFF"),
    "gray with alpha": file_of(CLEAR.convert("LA"), "TIFF"),
    "ycbcr": file_of(PICTURE.convert("YCbCr"), "TIFF"),
    "lzw": file_of(PICTURE, "TIFF", compression="tiff_lzw"),
    "deflate": file_of(PICTURE, "TIFF", compression="tiff_adobe_deflate"),
    "packbits": file_of(PICTURE, "TIFF", compression="packbits"),
    "jpeg": file_of(PICTURE, "TIFF", compression="jpeg"),
    "big": file_of(PICTURE, "TIFF", big_tiff=True),
    "pages": file_of(PICTURE, "TIFF", save_all=True, append_images=[OTHER]),
    "turned": file_of(PICTURE, "TIFF", exif=TURNED),
}


def shown(content: bytes) -> np.ndarray:
    return decode(tf.constant(content), portable=False).numpy()


@pytest.mark.parametrize("name", FILES)
def test_a_tiff_is_what_pillow_shows(name):
    content = FILES[name]
    expected = as_pillow_shows(content)
    np.testing.assert_array_equal(shown(content), expected)
    (in_pipeline,) = tf.data.Dataset.from_tensors(content).map(lambda x: decode(x, portable=False))
    np.testing.assert_array_equal(in_pipeline, expected)
    np.testing.assert_array_equal(
        tf.io.decode_png(servable(tf.constant(content)), channels=3), expected
    )
    assert decoded_format(tf.constant(content)).numpy() == b"TIFF"
    assert sorted(expected.shape[:2]) == [37, 53]
    assert upright_size(content).tolist() == list(expected.shape[:2])
    turned = orientation(tf.constant(content), portable=False)
    assert turned.numpy() == (6 if name == "turned" else 1)


def test_other_formats_are_servable_as_they_are():
    content = file_of(PICTURE, "PNG")
    assert servable(tf.constant(content)).numpy() == content


def test_16_bits_keep_their_upper_8_also_where_white_is_zero():
    image = Image.fromarray(GRAY_16)
    expected = np.repeat((GRAY_16 >> 8)[:, :, np.newaxis], 3, axis=2)
    for content in (file_of(image, "TIFF"), file_of(image, "TIFF", compression="tiff_lzw")):
        np.testing.assert_array_equal(shown(content), expected)
    negative = file_of(image, "TIFF", tiffinfo={262: 0})
    assert Image.open(io.BytesIO(negative)).tag_v2[262] == 0
    np.testing.assert_array_equal(shown(negative), 255 - expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (FILES["rgb"][:1000], "incomplete TIFF"),
        (FILES["lzw"][:1000], "TIFF"),
        (FILES["rgb"][:4], "corrupt TIFF file"),
        (FILES["rgb"][:8] + bytes(100), "corrupt TIFF file"),
        (file_of(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"), "floating-point"),
        (file_of(Image.fromarray(np.ones((9, 9), np.int32)), "TIFF"), "32-bit"),
    ],
)
def test_an_unreadable_tiff_has_a_reason(content, reason):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(tf.constant(content), "the third: ", portable=False)
    message = readable_reason(caught.value)
    assert message.startswith("the third: it is a")
    assert reason in message
    assert len(message) < 200


def test_a_tiff_that_is_too_large_is_refused_by_its_header():
    content = bytearray(file_of(PICTURE.convert("L"), "TIFF"))
    side = int(MAX_PIXELS**0.5) + 1
    for number, count in ((256, 53), (257, 37)):
        row = number.to_bytes(2, "little")
        where = content.index(row + b"\4\0\1\0\0\0" + count.to_bytes(4, "little"))
        content[where + 8 : where + 12] = side.to_bytes(4, "little")
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{side**2} pixels; at most"):
        decode(tf.constant(bytes(content)), portable=False)


@pytest.fixture
def folder(tmp_path):
    """Two classes of 8 TIFF files of many kinds; a PNG among them."""
    for label, names in (("a", list(FILES)[:8]), ("b", list(FILES)[8:])):
        (tmp_path / label).mkdir()
        for name in names:
            (tmp_path / label / f"{name}.tif").write_bytes(FILES[name])
    (tmp_path / "b" / "misnamed.TIFF").write_bytes(file_of(OTHER, "PNG"))
    return tmp_path


def test_a_folder_of_tiffs_is_data_like_any(folder):
    source = open_as_it_is(str(folder))
    split = source.splits["train"]
    assert len(split) == 17
    assert source.image_height_width == (37, 53)
    images = Images(split, 32)
    assert not len(images.unreadable())
    for index, content in enumerate(split.open_images().as_numpy_iterator()):
        expected = decode_and_resize(tf.constant(content), 32, portable=False)
        np.testing.assert_array_equal(images.kept[index], expected)
    for content in images.encoded(2):
        assert decode(tf.constant(content)).shape[2] == 3  # as a SavedModel does
    found = inspect(split, "train")
    assert found.readable.all()
    assert sorted(set(found.formats.tolist())) == ["PNG", "TIFF"]
    assert found.orientations.max() == 6


def test_a_truncated_tiff_is_named(folder):
    (folder / "a" / "rgb.tif").write_bytes(FILES["rgb"][:1000])
    source = open_source(FitConfig(data=str(folder)))
    images = {name: Images(split, 32) for name, split in source.splits.items()}
    with pytest.raises(DataError, match=r"rgb\.tif: it is a corrupt or incomplete TIFF"):
        for one in images.values():
            assert one.kept is not None
