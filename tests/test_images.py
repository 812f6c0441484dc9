"""What an image is, from its file to the square the model sees; Pillow is the judge."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfxfer.images import (
    decode,
    decode_and_resize,
    height_and_width,
    readable_reason,
    resize,
    why_unreadable,
)


def picture(height: int, width: int) -> Image.Image:
    """Returns a smooth colourful picture, so that JPEG keeps most of it."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def file_of(image: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def as_pillow_decodes(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


PICTURE = picture(37, 53)
FILES = {
    "jpeg": file_of(PICTURE, "JPEG", quality=80),
    "progressive jpeg": file_of(PICTURE, "JPEG", progressive=True),
    "jpeg with full colour": file_of(PICTURE, "JPEG", subsampling=0),
    "grey jpeg": file_of(PICTURE.convert("L"), "JPEG"),
    "cmyk jpeg": file_of(PICTURE.convert("CMYK"), "JPEG"),
    "png": file_of(PICTURE, "PNG"),
    "grey png": file_of(PICTURE.convert("L"), "PNG"),
    "png of 1 bit": file_of(PICTURE.convert("1"), "PNG"),
    "png with palette": file_of(PICTURE.convert("P"), "PNG"),
    "png with alpha": file_of(PICTURE.convert("RGBA"), "PNG"),
    "grey png with alpha": file_of(PICTURE.convert("LA"), "PNG"),
    "bmp": file_of(PICTURE, "BMP"),
    "grey bmp": file_of(PICTURE.convert("L"), "BMP"),
    "bmp with palette": file_of(PICTURE.convert("P"), "BMP"),
    "bmp with palette of 20": file_of(PICTURE.quantize(20), "BMP"),
    "bmp with alpha": file_of(PICTURE.convert("RGBA"), "BMP"),
    "gif": file_of(PICTURE, "GIF"),
    "grey gif": file_of(PICTURE.convert("L"), "GIF"),
    "animated gif": file_of(
        PICTURE, "GIF", save_all=True, append_images=[Image.new("RGB", PICTURE.size, "red")]
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_decoding_gives_the_very_pixels_that_pillow_gives(name):
    expected = as_pillow_decodes(FILES[name])
    assert expected.shape == (37, 53, 3)
    decoded = decode(tf.constant(FILES[name]))
    assert decoded.dtype == tf.uint8
    np.testing.assert_array_equal(decoded, expected)


def test_decoding_inside_tf_data_gives_the_same_as_eagerly():
    contents = list(FILES.values())
    in_pipeline = tf.data.Dataset.from_tensor_slices(contents).map(decode)
    assert in_pipeline.element_spec.shape.as_list() == [None, None, 3]
    for content, image in zip(contents, in_pipeline, strict=True):
        np.testing.assert_array_equal(image, decode(tf.constant(content)))


def test_decoding_and_resizing_inside_a_saved_model_gives_the_same_as_eagerly(tmp_path):
    module = tf.Module()
    module.serve = tf.function(
        lambda contents: tf.map_fn(
            lambda content: decode_and_resize(content, 16),
            contents,
            fn_output_signature=tf.TensorSpec((16, 16, 3), tf.uint8),
        ),
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path / "model"))
    served = tf.saved_model.load(str(tmp_path / "model")).serve(list(FILES.values()))
    expected = [decode_and_resize(tf.constant(content), 16) for content in FILES.values()]
    np.testing.assert_array_equal(served, np.stack(expected))


def test_a_16_bit_png_keeps_the_upper_8_bits():
    grey = (np.arange(53 * 37) * 33 % 65536).astype(np.uint16).reshape(37, 53)
    decoded = decode(tf.constant(file_of(Image.fromarray(grey), "PNG")))
    np.testing.assert_array_equal(decoded, np.repeat((grey >> 8)[..., np.newaxis], 3, axis=-1))


def test_exif_orientation_is_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to look at it
    content = file_of(PICTURE, "JPEG", quality=80, exif=exif)
    np.testing.assert_array_equal(decode(tf.constant(content)), decode(tf.constant(FILES["jpeg"])))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Input is empty"),
        (b"hello", "Unknown image file format"),
        (b"\xff\xd8\xff", "Invalid JPEG data"),
        (FILES["jpeg"][:400], "Invalid JPEG data"),
        (FILES["png"][:200], "Invalid PNG data"),
        (FILES["gif"][:30], "gif|GIF"),
        (b"BM" + bytes(100), "Number of channels"),
        (b"BM", "slice index"),
        (FILES["bmp"][:30] + b"\x01" + FILES["bmp"][31:], "The BMP is compressed"),
    ],
)
def test_what_is_no_image_raises_an_error_with_a_short_reason(content, reason):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason) as caught:
        decode(tf.constant(content))
    message = readable_reason(caught.value)
    assert "\n" not in message
    assert "node" not in message
    assert "[Op:" not in message


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(53, 37, 20), (53, 37, 64), (200, 300, 224), (100, 100, 99), (500, 20, 32), (8, 8, 32)],
)
def test_the_middle_square_is_resized_within_one_grey_level_of_pillow(height, width, size):
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    side, top, left = min(height, width), max(height - width, 0) // 2, max(width - height, 0) // 2
    square = Image.fromarray(noise).crop((left, top, left + side, top + side))
    expected = square.resize((size, size), Image.Resampling.BILINEAR)
    resized = resize(tf.constant(noise), size)
    assert resized.dtype == tf.uint8
    difference = np.abs(resized.numpy().astype(int) - np.asarray(expected))
    assert difference.max() <= 1
    (in_pipeline,) = tf.data.Dataset.from_tensors(noise).map(lambda image: resize(image, size))
    np.testing.assert_array_equal(in_pipeline, resized)


def test_an_image_that_has_the_size_is_returned_as_it_is():
    noise = np.random.default_rng(2).integers(0, 256, (31, 31, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(tf.constant(noise), 31), noise)


def test_the_resized_shape_is_known_before_anything_runs():
    dataset = tf.data.Dataset.from_tensors(FILES["png"]).map(lambda x: decode_and_resize(x, 24))
    assert dataset.element_spec.shape == (24, 24, 3)


@pytest.mark.parametrize("name", FILES)
def test_height_and_width_are_those_of_the_picture(name):
    for function in (height_and_width, tf.function(height_and_width)):
        assert function(tf.constant(FILES[name])).numpy().tolist() == [37, 53]


def test_the_height_of_a_bmp_may_be_negative():
    upside_down = bytearray(FILES["bmp"])
    upside_down[22:26] = (-37).to_bytes(4, "little", signed=True)
    assert height_and_width(tf.constant(bytes(upside_down))).numpy().tolist() == [37, 53]


@pytest.mark.parametrize("name", FILES)
def test_no_file_that_can_be_read_is_refused(name):
    for function in (why_unreadable, tf.function(why_unreadable)):
        assert function(tf.constant(FILES[name])).numpy() == b""
        assert function(tf.constant(FILES[name] + b"\0")).numpy() == b""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", b"it is empty"),
        (b"RIFF0000WEBPVP8 0123456789", b"it is no JPEG, PNG, BMP or GIF file"),
        (FILES["png"][:20], b"it is incomplete"),
        (FILES["jpeg"][:-1], b"it is an incomplete JPEG file"),
        (FILES["jpeg"][:60], b"it is an incomplete JPEG file"),
    ],
)
def test_what_can_be_no_image_is_told_without_decoding(content, reason):
    for function in (why_unreadable, tf.function(why_unreadable)):
        assert function(tf.constant(content)).numpy() == reason
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant(content))
