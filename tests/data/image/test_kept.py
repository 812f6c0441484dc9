"""Decoded images in memory and on the disk, by number."""

import numpy as np
import tensorflow as tf
from noise_splits import array_split, corrupt_split, noise

from tfxfer.config.frame import Frame
from tfxfer.data.cache import Cache
from tfxfer.data.image.decoding import decode
from tfxfer.data.image.kept import InMemory, OnDisk, num_bytes
from tfxfer.data.image.order import Order, Places
from tfxfer.system.digests import ids_of


def test_the_room_for_images_is_three_bytes_a_pixel():
    assert num_bytes(7, Frame.of(8)) == 7 * 8 * 8 * 3


def test_images_in_memory_are_by_number_and_what_cannot_be_read_is_black(tmp_path):
    order = Order(Places(np.array([3, 6, 0, 1, 5, 4, 2])))
    kept = InMemory.of(corrupt_split(tmp_path), order, Frame.of(8), lambda image: decode(image))
    assert kept.missing.tolist() == [1, 4, 6]
    expected = noise(7)
    expected[[1, 4, 6]] = 0
    np.testing.assert_array_equal(kept.as_tensor(), expected[[3, 6, 0, 1, 5, 4, 2]])
    left = kept.select(order, Places(np.array([0, 2, 4, 5])))
    assert left.missing.tolist() == [2]
    np.testing.assert_array_equal(left.images, expected[[0, 5, 4, 2]])


def test_images_on_the_disk_are_found_by_their_content_and_frame(tmp_path):
    pixels = noise(7)
    digests = ids_of((image.tobytes(),) for image in pixels)
    stored = OnDisk(Cache(tmp_path, 10**6), lambda: digests, Frame.of(8))
    assert stored.read() is None
    np.testing.assert_array_equal(stored.write(iter([pixels[:4], pixels[4:]])), pixels)
    again = OnDisk(Cache(tmp_path, 10**6), lambda: digests, Frame.of(8)).read()
    assert isinstance(again, tf.Tensor)
    np.testing.assert_array_equal(again, pixels)
    assert OnDisk(Cache(tmp_path, 10**6), lambda: digests[::-1], Frame.of(8)).read() is None
    for other in (Frame.of(9), Frame.of(8, "pad"), Frame.of(8, "stretch")):
        assert OnDisk(Cache(tmp_path, 10**6), lambda: digests, other).read() is None


def test_the_pictures_in_memory_are_those_of_the_split():
    kept = InMemory.of(array_split(noise(5)), Order(), Frame.of(8), lambda image: image)
    np.testing.assert_array_equal(kept.images, noise(5))
    assert not len(kept.missing)
