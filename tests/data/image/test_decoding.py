"""What an image is, from its file to the square the model sees; compared with Pillow."""

import io
import re
import struct

import numpy as np
import pytest
import tensorflow as tf
from conftest import file_of
from image_files import (
    FILES,
    FORMAT_NAMES,
    MATRIX,
    PICTURE,
    as_pillow_shows,
    eagerly_and_in_a_graph,
    exif_of,
    of_size,
)
from messages import parts
from PIL import Image

from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.image.decoding import (
    decode,
    height_and_width,
    orientation,
    upright_size,
    why_unreadable,
)
from tfxfer.data.image.failures import readable_reason
from tfxfer.data.image.formats.picture import MAX_PIXELS
from tfxfer.data.image.formats.recognition import decoded_format
from tfxfer.data.image.formats.table import format_of


def check(name: str, decoded: np.ndarray) -> None:
    """Asserts that an image of the matrix is what Pillow shows."""
    expected = as_pillow_shows(MATRIX[name])
    assert decoded.dtype == np.uint8
    assert decoded.shape == expected.shape
    difference = np.abs(decoded.astype(int) - expected)
    assert difference.max() <= (1 if "alpha" in name else 0)


@pytest.mark.parametrize("name", MATRIX)
def test_decoding_gives_what_pillow_shows(name):
    check(name, decode(tf.constant(MATRIX[name])).numpy())


@pytest.mark.slow
@pytest.mark.parametrize("portable", [True, False])
def test_decoding_inside_tf_data_gives_the_same(portable):
    files = tf.data.Dataset.from_tensor_slices(list(MATRIX.values()))
    in_pipeline = files.map(lambda content: decode(content, portable=portable), 2)
    assert in_pipeline.element_spec.shape.as_list() == [None, None, 3]
    for name, image in zip(MATRIX, in_pipeline.as_numpy_iterator(), strict=True):
        check(name, image)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A SavedModel, loaded, that decodes a batch of files to squares of 37 pixels."""
    module = tf.Module()
    module.serve = tf.function(
        lambda contents: tf.map_fn(
            lambda content: decode_and_resize(content, 37),
            contents,
            fn_output_signature=tf.TensorSpec((37, 37, 3), tf.uint8),
        ),
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )
    folder = str(tmp_path_factory.mktemp("served"))
    tf.saved_model.save(module, folder)
    return tf.saved_model.load(folder).serve


@pytest.mark.slow
def test_decoding_inside_a_saved_model_gives_the_same(served):
    squares = served(tf.constant(list(MATRIX.values()))).numpy()
    for name, square in zip(MATRIX, squares, strict=True):
        # The side is that of the square in the middle, which is so not resized.
        expected = as_pillow_shows(MATRIX[name])
        top, left = (expected.shape[0] - 37) // 2, (expected.shape[1] - 37) // 2
        difference = square.astype(int) - expected[top : top + 37, left : left + 37]
        assert np.abs(difference).max() <= (1 if "alpha" in name else 0), name


@pytest.mark.slow
def test_the_exported_signature_sees_what_training_sees(signatures):
    contents = list(MATRIX.values())
    squares = np.stack([decode_and_resize(tf.constant(one), 32).numpy() for one in contents])
    by_bytes = signatures["serving_default"](image_bytes=tf.constant(contents))
    by_pixels = signatures["pixels"](pixels=tf.constant(squares))
    for name in ("probabilities", "label"):
        np.testing.assert_array_equal(by_bytes[name], by_pixels[name])


@pytest.mark.parametrize("name", MATRIX)
def test_format_orientation_and_size_are_recognized(name):
    image = Image.open(io.BytesIO(MATRIX[name]))
    for found in eagerly_and_in_a_graph(decoded_format, MATRIX[name]):
        assert found.decode() == FORMAT_NAMES[image.format]
    assert format_of(MATRIX[name]) == FORMAT_NAMES[image.format]
    for found in eagerly_and_in_a_graph(orientation, MATRIX[name]):
        assert found == image.getexif().get(0x112, 1)
    for found in eagerly_and_in_a_graph(height_and_width, MATRIX[name]):
        assert found.tolist() == [37, 53]
    is_turned = image.getexif().get(0x112, 1) > 4
    assert upright_size(MATRIX[name]).tolist() == ([53, 37] if is_turned else [37, 53])
    for content in (MATRIX[name], MATRIX[name] + b"\0"):
        assert eagerly_and_in_a_graph(why_unreadable, content) == [b"", b""]


@pytest.mark.parametrize(
    "exif",
    [
        exif_of(0),
        exif_of(9),
        exif_of(6, size=4),
        exif_of(6, size=8),
        exif_of(6, size=15),
        b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20),
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(20),
        b"Exif\0\0XX*\0\x08\0\0\0" + bytes(20),
        b"Exif\0\0",
    ],
)
def test_a_corrupt_exif_block_says_nothing(exif):
    jpeg = FILES["jpeg"]
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif
    for content in (
        jpeg[:2] + segment + jpeg[2:],
        jpeg[:2] + b"\xff\xe1\xff\xff" + exif + jpeg[2:],  # as if it went on beyond the file
        file_of(PICTURE, "PNG", exif=exif),
    ):
        assert orientation(tf.constant(content)).numpy() == 1


NO_IMAGES = [
    (b"", "empty"),
    (b"\xff", "not a JPEG, PNG, BMP, GIF or WebP file"),
    (b"hello", "not a JPEG, PNG, BMP, GIF or WebP file"),
    (b"RIFF0000WAVEfmt 0123456789", "not a JPEG, PNG, BMP, GIF or WebP file"),
    (b"\xff\xd8\xff", "incomplete"),
    (FILES["jpeg"][:400], "truncated JPEG file"),
    (FILES["jpeg"][:-1], "truncated JPEG file"),
    (FILES["png"][:20], "incomplete"),
    (FILES["gif"][:30], "GIF file without an image"),
    (
        b"BM" + bytes(100),
        "unsupported kind of BMP file ... PNG",
    ),
    (FILES["bmp"][:100], "incomplete BMP file"),
    (
        FILES["bmp"][:30] + b"\x01" + FILES["bmp"][31:],
        "unsupported kind of BMP file ... PNG",
    ),
    (
        FILES["bmp"][:28] + b"\x10" + FILES["bmp"][29:],
        "unsupported kind of BMP file ... PNG",
    ),
    (FILES["webp"][:-3], "incomplete WebP file"),
]


@pytest.fixture(scope="module")
def refused_by_a_pipeline():
    """The errors of one pipeline that is to decode what are no images, by their contents."""
    contents = [content for content, _ in NO_IMAGES]
    pipeline = iter(tf.data.Dataset.from_tensor_slices(contents).map(decode))
    errors = {}
    for content in contents:  # a pipeline goes on with the next element after an error
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            next(pipeline)
        errors[content] = caught.value
    assert next(pipeline, None) is None
    return errors


@pytest.mark.parametrize(("content", "reason"), NO_IMAGES)
def test_content_that_is_no_image_is_refused_with_a_reason(refused_by_a_pipeline, content, reason):
    eager, traced = eagerly_and_in_a_graph(why_unreadable, content)
    assert re.search(parts(reason), eager.decode())
    assert traced == eager
    assert readable_reason(refused_by_a_pipeline[content]) == eager.decode()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(tf.constant(content), "the third: ")
    assert readable_reason(caught.value) == f"the third: {eager.decode()}"


def test_where_tiff_is_read_a_refusal_names_it():
    reason = "not a JPEG, PNG, BMP, GIF, WebP, TIFF or NPY file"
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(tf.constant(b"hello"), "the third: ", portable=False)
    message = readable_reason(caught.value)
    assert message.startswith("the third: ")
    assert message.endswith(reason)
    dataset = tf.data.Dataset.from_tensors(b"hello")
    with pytest.raises(tf.errors.OpError, match=reason):
        list(dataset.map(lambda content: decode(content, portable=False)))


@pytest.mark.parametrize("content", [FILES["png"][:200], FILES["gif"][:300], FILES["png"][:-30]])
def test_a_file_that_is_corrupt_inside_raises_an_error_with_a_short_reason(content):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(tf.constant(content))
    message = readable_reason(caught.value)
    assert 0 < len(message) < 100
    assert not {"\n", "node", "[Op:"} & set(message.split())


@pytest.mark.parametrize("name", ["jpeg", "png", "bmp", "gif", "webp"])
def test_a_picture_that_is_too_large_is_refused_by_its_header(name):
    side = 10_001 if name != "webp" else 16_383
    content = of_size(name, side, side)
    reason = f"it has {side * side} pixels; at most {MAX_PIXELS:,} are decoded"
    assert why_unreadable(tf.constant(content)).numpy().decode() == reason
    with pytest.raises(tf.errors.InvalidArgumentError, match="it has .* pixels; at most"):
        decode(tf.constant(content))
    assert height_and_width(tf.constant(content)).numpy().tolist() == [side, side]


@pytest.mark.parametrize(("name", "side"), [("png", 2**32 - 1), ("png", 2**31), ("bmp", 2**31 - 1)])
def test_sizes_beyond_all_numbers_are_refused(name, side):
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels|no pixels"):
        decode(tf.constant(of_size(name, side, side)))


@pytest.mark.parametrize("name", ["png", "bmp"])
def test_a_picture_without_pixels_is_refused(name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant(of_size(name, 0, 0)))


def test_whatever_happens_to_a_file_it_is_an_image_or_an_error():
    generator = np.random.default_rng(0)
    mutated = []
    for content in FILES.values():
        for _ in range(30):
            changed = bytearray(content)
            what = generator.integers(3)
            if what == 0:
                del changed[generator.integers(len(changed)) :]
            elif what == 1:
                for _ in range(generator.integers(1, 9)):
                    changed[generator.integers(len(changed))] ^= 1 << generator.integers(8)
            else:
                start = generator.integers(min(60, len(changed)))
                changed[start : start + 8] = generator.bytes(8)
            mutated.append(bytes(changed))
    dataset = tf.data.Dataset.from_tensor_slices(mutated).map(decode, tf.data.AUTOTUNE)
    images = list(dataset.ignore_errors().as_numpy_iterator())
    assert len(mutated) / 20 < len(images) < len(mutated)
    for image in images:
        assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
        assert image.shape[0] * image.shape[1] <= MAX_PIXELS


def test_the_resized_shape_is_known_before_anything_runs():
    dataset = tf.data.Dataset.from_tensors(FILES["png"]).map(lambda x: decode_and_resize(x, 24))
    assert dataset.element_spec.shape == (24, 24, 3)
