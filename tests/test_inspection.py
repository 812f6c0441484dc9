"""What is told of each image, and which of them look the same."""

import numpy as np
import tensorflow as tf
from conftest import file_of, scene
from PIL import Image

from tfxfer.inspection import NEAR_BITS, inspect, near_duplicates
from tfxfer.sources.source import in_any_order


def split_of(contents):
    table = tf.constant(contents)
    labels = np.zeros(len(contents), np.int64)
    return in_any_order(labels, lambda index: tf.gather(table, index), str, lambda: None)


def test_format_size_and_orientation_are_those_of_the_files():
    turned = Image.Exif()
    turned[0x0112] = 6
    found = inspect(
        split_of(
            [
                file_of(scene(0), "JPEG"),
                file_of(scene(0, (30, 20)), "PNG"),
                b"damaged",
                file_of(scene(0), "JPEG", exif=turned),
                file_of(scene(0, (9, 9)), "GIF"),
            ]
        ),
        "train",
    )
    assert found.readable.tolist() == [True, True, False, True, True]
    assert found.formats.tolist() == ["JPEG", "PNG", "", "JPEG", "GIF"]
    # As they are shown: the fourth lies on its side.
    assert found.heights_widths.tolist() == [[60, 80], [20, 30], [0, 0], [80, 60], [9, 9]]
    assert found.orientations.tolist() == [1, 1, 0, 6, 1]


def test_images_that_are_arrays_have_no_format():
    table = tf.constant(np.stack([np.asarray(scene(seed, (8, 8))) for seed in range(3)]))
    split = in_any_order(np.zeros(3, np.int64), lambda i: tf.gather(table, i), str, lambda: None)
    found = inspect(split, "train")
    assert found.readable.all()
    assert found.formats.tolist() == ["", "", ""]
    assert found.heights_widths.tolist() == [[8, 8]] * 3


def test_a_picture_looks_the_same_in_another_size_format_and_quality():
    pictures = [scene(seed) for seed in range(20)]
    copies = [picture.resize((120, 90), Image.Resampling.LANCZOS) for picture in pictures]
    contents = [file_of(picture, "JPEG", quality=95) for picture in pictures]
    contents += [file_of(copy, "JPEG", quality=60) for copy in copies[:10]]
    contents += [file_of(copy, "PNG") for copy in copies[10:]]
    found = inspect(split_of(contents), "train")
    pairs = near_duplicates(found.looks, found.contrasts)
    assert pairs.tolist() == [[number, 20 + number] for number in range(20)]


def test_pictures_without_contrast_are_not_compared():
    blank = [
        file_of(Image.new("RGB", (40, 40), (grey, grey, grey)), "JPEG") for grey in (0, 90, 255)
    ]
    found = inspect(split_of(blank), "train")
    assert found.contrasts.max() < 0.001
    assert len(near_duplicates(found.looks, found.contrasts)) == 0


def test_bands_find_exactly_the_pairs_that_comparing_all_finds():
    generator = np.random.default_rng(0)
    looks = generator.integers(0, 2**64, (400, 2), dtype=np.uint64)
    # Copies of the first hundred, with up to nine bits turned.
    bits = np.unpackbits(looks[:100].view(np.uint8).reshape(100, 16), axis=1)
    for number in range(100):
        bits[number, generator.permutation(128)[: number % 10]] ^= 1
    looks[100:200] = np.packbits(bits, axis=1).view(np.uint64)
    looks[300] = looks[301] = looks[302]
    differing = np.bitwise_count(looks[:, None] ^ looks[None]).sum(axis=2)
    expected = np.argwhere(np.triu(differing <= NEAR_BITS, k=1))
    assert len(expected) == 60 + 3
    np.testing.assert_array_equal(near_duplicates(looks, np.full(400, 255.0)), expected)
