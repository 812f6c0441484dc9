"""What is told of each image, and which of them look the same."""

import numpy as np
import tensorflow as tf
from conftest import file_of, scene
from PIL import Image

from tfxfer.data.image.inspection import inspect, look_alikes
from tfxfer.data.source import in_any_order


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
                b"corrupt",
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
    groups = look_alikes(found.perceptual_hashes, found.contrasts)
    assert groups[:20].tolist() == groups[20:].tolist()
    assert sorted(groups[:20]) == list(range(20))


def test_pictures_without_contrast_are_not_compared():
    blank = [
        file_of(Image.new("RGB", (40, 40), (gray, gray, gray)), "JPEG") for gray in (0, 90, 255)
    ]
    found = inspect(split_of(blank), "train")
    assert found.contrasts.max() < 0.001
    assert sorted(look_alikes(found.perceptual_hashes, found.contrasts)) == [0, 1, 2]


def test_up_to_five_bits_of_128_may_differ():
    perceptual_hashes = np.array(
        [[0, 0], [0b111, 0b11], [0b111111, 0b11], [2**63, 2**64 - 1]], np.uint64
    )
    assert look_alikes(perceptual_hashes[[0, 1, 3]], np.full(3, 255.0)).tolist() == [0, 0, 1]
    # The third is eight bits from the first, three from the second, which links them.
    assert look_alikes(perceptual_hashes, np.full(4, 255.0)).tolist() == [0, 0, 0, 1]
    assert look_alikes(perceptual_hashes[[0, 2]], np.full(2, 255.0)).tolist() == [0, 1]
