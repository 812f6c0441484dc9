"""Unreadable images are named, each with its reason."""

import os
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from noise_splits import array_split, collected, corrupt_split, encoded_split, in_order_only, noise

from tfxfer.data.batches import evaluation_batches, training_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import find_unreadable, naming_unreadable_images
from tfxfer.data.source import in_any_order
from tfxfer.errors import DataError


@pytest.fixture
def corrupt(tmp_path):
    """A split of seven files: one corrupt, one empty, one missing."""
    return corrupt_split(tmp_path)


def test_unreadable_images_are_found(corrupt):
    assert find_unreadable(corrupt).tolist() == [1, 4, 6]
    assert find_unreadable(in_order_only(corrupt)).tolist() == [1, 4, 6]
    assert find_unreadable(array_split(noise(7))).tolist() == []


@pytest.mark.parametrize("memory_bytes", [0, 10**6])
@pytest.mark.parametrize("make_batches", [evaluation_batches, training_batches])
def test_the_failure_to_read_an_image_names_the_files_and_reasons(
    corrupt, tmp_path, memory_bytes, make_batches
):
    settings = {"seed": 0, "epochs": 1} if make_batches is training_batches else {}
    images = Images(corrupt, 8, memory_bytes)
    with pytest.raises(DataError) as caught, naming_unreadable_images(corrupt):
        collected(make_batches(images, 3, **settings))
    first, *named = str(caught.value).splitlines()
    assert "3 images" in first
    assert re.fullmatch(rf"  {re.escape(str(tmp_path))}/1\.png: .*PNG.*", named[0])
    assert re.fullmatch(rf"  {re.escape(str(tmp_path))}/4\.png: .*empty", named[1])
    assert named[2].startswith(f"  {tmp_path}/6.png: ")
    assert named[2].endswith("no such file")


def test_a_file_that_is_not_there_may_have_a_name_that_is_no_utf_8(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    split = in_any_order(
        np.zeros(1, np.int64), lambda i: tf.io.read_file(path), lambda i: os.fsdecode(path), None
    )
    with pytest.raises(DataError, match="1 image[^s].*\n.*caf.*: .*no such file"):
        Images(split, 8).kept  # noqa: B018
    with pytest.raises(DataError, match="Cannot read 1 image"), naming_unreadable_images(split):
        collected(evaluation_batches(Images(split, 8, memory_bytes=0), 1))


def test_the_failure_inside_keras_names_the_files(corrupt):
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])
    images = Images(corrupt, 8, memory_bytes=0)
    with pytest.raises(DataError, match="Cannot read 3 images"), naming_unreadable_images(corrupt):
        model.predict(evaluation_batches(images, 3), verbose=0)


def test_of_many_unreadable_images_the_first_are_named(tmp_path):
    split = in_any_order(
        np.zeros(23, np.int64), lambda i: tf.constant(b"corrupt"), lambda i: f"image #{i}", None
    )
    with pytest.raises(DataError) as caught, naming_unreadable_images(split):
        collected(evaluation_batches(Images(split, 8), 3))
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[20].startswith("  image #19: it is not a JPEG, PNG, BMP, GIF, WebP, TIFF or NPY f")
    assert re.search(r"\b3 more.*`tfxfer check`", lines[21])


def test_the_second_of_two_splits_is_named_if_the_first_is_sound(corrupt):
    sound = array_split(noise(7))
    with (
        pytest.raises(DataError, match="Cannot read 3 images"),
        naming_unreadable_images(sound, corrupt),
    ):
        collected(evaluation_batches(Images(corrupt, 8), 3))


def test_another_failure_is_left_as_it_is():
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="of the model"),
        naming_unreadable_images(array_split(noise(7))),
    ):
        raise tf.errors.InvalidArgumentError(None, None, "of the model")


def test_where_the_memory_is_full_the_images_are_not_read_again():
    reads = []
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    with (
        pytest.raises(tf.errors.ResourceExhaustedError),
        naming_unreadable_images(encoded_split(noise(3), reads)),
    ):
        raise error
    assert reads == []


@pytest.mark.parametrize("memory_bytes", [0, 10**9])
def test_a_missing_file_is_named_without_the_words_of_tensorflow(tmp_path, memory_bytes):
    there = tmp_path / "there.png"
    there.write_bytes(tf.io.encode_png(tf.zeros((9, 9, 3), tf.uint8)).numpy())
    (tmp_path / "folder.png").mkdir()
    names = [str(there), str(tmp_path / "gone.png"), str(tmp_path / "folder.png")]
    table = tf.constant(names)
    split = in_any_order(
        np.zeros(3, np.int64),
        lambda index: tf.io.read_file(tf.gather(table, index)),
        lambda index: names[index],
        lambda: np.arange(3 * 16, dtype=np.uint8).reshape(3, 16),
    )
    images = Images(split, 8, memory_bytes=memory_bytes)
    with pytest.raises(DataError) as caught, naming_unreadable_images(split):
        collected(evaluation_batches(images, 3))
    lines = str(caught.value).splitlines()
    for line, name, reason in zip(lines[1:], names[1:], ("no such file", "folder"), strict=True):
        assert line.startswith(f"  {name}: ")
        assert reason in line.removeprefix(f"  {name}")
