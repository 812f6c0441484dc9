"""What cannot be read is found before the work begins, and left out or refused."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from noise_splits import (
    array_split,
    collected,
    corrupt_split,
    encoded_split,
    noise,
    numbered,
    settings_of,
    which,
)

from tfxfer.data.batches import evaluation_batches, training_batches
from tfxfer.data.image.screening import open_images
from tfxfer.errors import DataError


@pytest.fixture
def corrupt(tmp_path):
    """A split of seven files: one corrupt, one empty, one missing."""
    return corrupt_split(tmp_path)


@pytest.mark.parametrize(
    ("memory", "cache"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)], ids=["memory", "disk", "nowhere"]
)
@pytest.mark.parametrize("can_be_chosen", [True, False])
def test_unreadable_images_are_left_out_of_all_that_is_kept(
    corrupt, tmp_path, memory, cache, can_be_chosen
):
    split = numbered(corrupt)
    if not can_be_chosen:  # then reading itself never fails
        contents = [b"" if i == 6 else corrupt.read_image(i).numpy() for i in range(7)]
        opened = tf.data.Dataset.from_tensor_slices(contents)
        split = dataclasses.replace(split, read_image=None, open_images=lambda: opened)
    sound = array_split(noise(5))
    settings = settings_of(tmp_path / "cache", "skip", memory, cache)
    images, skipped = open_images({"validation": split, "test": sound}, settings)
    assert [(one.split, one.example, one.label) for one in skipped] == [
        ("validation", f"{tmp_path}/{number}.png", number % 5) for number in (1, 4, 6)
    ]
    assert all(one.reason for one in skipped)
    assert len(images["test"]) == 5
    left = images["validation"]
    expected = noise(7)
    (shown, labels) = collected(evaluation_batches(left, 10))[0]
    assert sorted(which(expected, shown)) == [0, 2, 3, 5]
    assert [number % 5 for number in which(expected, shown)] == labels.tolist()
    seen = collected(training_batches(left, 2, seed=0, epochs=1))
    assert sorted(which(expected, np.concatenate([x for x, _ in seen]))) == [0, 2, 3, 5]


def test_unreadable_images_stop_everything_unless_they_may_be_left_out(corrupt, tmp_path):
    split = numbered(corrupt)
    with pytest.raises(DataError, match="--bad-images"):
        open_images({"validation": split}, settings_of(tmp_path, "error"))
    with pytest.raises(DataError, match="'train' no image of a class"):
        open_images({"train": split}, settings_of(tmp_path, "skip"))
    with pytest.raises(DataError, match="'test' no image of any class"):
        only = split.select(np.array([1, 4, 6]))
        open_images({"test": only}, settings_of(tmp_path, "skip"))


@pytest.mark.parametrize("memory_gigabytes", [2.0, 0.0])
def test_what_was_decoded_once_is_not_decoded_again_to_be_checked(tmp_path, memory_gigabytes):
    reads, images = [], noise(7)
    config = settings_of(tmp_path, "error", memory_gigabytes, cache_gigabytes=1.0)
    open_images({"train": encoded_split(images, reads)}, config)
    assert sorted(reads) == list(range(7))
    reads.clear()
    found, _ = open_images({"train": encoded_split(images, reads)}, config)
    assert reads == []
    (batch,) = evaluation_batches(found["train"], 7)
    assert {image.tobytes() for image in batch[0].numpy()} == {image.tobytes() for image in images}
    # One that is new is looked at.
    reads.clear()
    more = np.concatenate([images, noise(8)[7:]])
    open_images({"train": encoded_split(more, reads)}, config)
    assert 7 in reads
