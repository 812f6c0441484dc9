"""The typical size of the images of a source."""

import io

import numpy as np
import pytest
import tensorflow as tf
from noise_splits import black_split, encoded_split, noise
from PIL import Image

from tfxfer.data.source import in_any_order
from tfxfer.data.sources.sizes import shares_kept, typical_height_and_width
from tfxfer.errors import DataError


def test_the_typical_size_is_the_median_of_a_sample_spread_over_the_split():
    sizes = [(10, 20)] * 100 + [(30, 40)] * 300
    assert typical_height_and_width(black_split(sizes, by_index=True)) == (30, 40)
    # Sources that can only be read in order are sampled at their beginning.
    assert typical_height_and_width(black_split(sizes, by_index=False)) == (10, 20)


def test_a_photograph_that_is_turned_has_the_size_it_is_shown_with():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(file, "JPEG", exif=exif)
    files = tf.constant([file.getvalue()])
    split = in_any_order(np.zeros(1, np.int64), lambda i: tf.gather(files, i), str, lambda: None)
    assert typical_height_and_width(split) == (40, 30)
    assert shares_kept(split, 4, 3).tolist() == [1]


def test_a_crop_keeps_less_of_an_image_of_another_shape():
    split = black_split([(10, 20), (20, 10), (10, 10), (10, 40)], by_index=True)
    assert shares_kept(split, 224, 224).tolist() == [1 / 2, 1 / 2, 1, 1 / 4]
    assert shares_kept(split, 100, 200).tolist() == [1, 1 / 4, 1 / 2, 1 / 2]


def test_a_split_is_read_once_for_both():
    reads = []
    split = encoded_split(noise(3), reads)
    assert typical_height_and_width(split) == (8, 8)
    assert shares_kept(split, 1, 1).tolist() == [1, 1, 1]
    assert reads == [0, 1, 2]


def test_the_header_is_enough_and_what_has_none_has_no_say():
    whole = tf.io.encode_png(np.zeros((30, 40, 3), "uint8")).numpy()
    files = tf.constant([whole[:45], b"corrupt", whole[:45]])  # nothing of the pixels is there
    split = in_any_order(np.zeros(3, np.int64), lambda i: tf.gather(files, i), str, lambda: None)
    assert typical_height_and_width(split) == (30, 40)


def test_where_no_image_can_be_read_the_first_is_named_with_the_reason():
    split = in_any_order(
        np.zeros(3, np.int64), lambda i: tf.constant(b"corrupt"), lambda i: f"#{i}", lambda: None
    )
    with pytest.raises(DataError, match="3 images .*#0: .*not a JPEG"):
        typical_height_and_width(split)
