"""What samples become pixels, and how."""

import numpy as np
import pytest

from tfxfer.data.image.formats.arrays.samples import (
    ArrayFileError,
    as_pixels,
    check_shape,
    check_type,
)


@pytest.mark.parametrize("kind", ["uint8", "uint16", ">u2", "float16", "float32", "float64", ">f4"])
def test_every_type_covers_the_whole_range(kind):
    largest = 1 if np.dtype(kind).kind == "f" else np.iinfo(kind).max
    samples = (np.arange(256).reshape(16, 16, 1) / 255 * largest).astype(kind)
    check_type(samples.dtype)
    found = as_pixels(samples)
    assert found.dtype == np.uint8
    assert (found.min(), found.max()) == (0, 255)
    assert np.abs(found.ravel().astype(int) - np.arange(256)).max() <= 1


def test_bytes_are_kept_and_of_16_bits_the_upper_8():
    assert as_pixels(np.array([[[7, 255]]], np.uint8)).tolist() == [[[7, 255]]]
    assert as_pixels(np.array([[[255, 256, 65535]]], np.uint16)).tolist() == [[[0, 1, 255]]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.nan, r"it has NaN; floats must be in \[0, 1\]"),
        (np.inf, "it has infinite values"),
        (1.5, r"from 0 to 1.5; floats must be in \[0, 1\], so scale them"),
        (-0.5, "from -0.5 to 0"),
    ],
)
@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_floats_outside_the_range_are_refused(value, reason, kind):
    samples = np.zeros((4, 4, 2), kind)
    samples[1, 2, 1] = value
    with pytest.raises(ArrayFileError, match=reason):
        as_pixels(samples)


@pytest.mark.parametrize("kind", ["int8", "int64", "uint32", "bool", "complex64", "U3", "M8[s]"])
def test_other_types_are_refused_by_name(kind):
    with pytest.raises(ArrayFileError, match=r"samples are of type .*allowed are uint8, uint16"):
        check_type(np.dtype(kind))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((3, 224, 224), "it has 224 channels; at most 64"),
        ((10**6, 10**6, 1), "1,000,000,000,000 pixels of 1 channel;"),
        ((10_000, 9_000, 7), "at most 100,000,000 pixels and 600 MB"),
    ],
)
def test_what_is_too_large_is_refused(shape, reason):
    with pytest.raises(ArrayFileError, match=reason):
        check_shape(shape, 1)


def test_the_bytes_count_not_only_the_samples():
    check_shape((10_000, 10_000, 3), 2)
    with pytest.raises(ArrayFileError, match="600 MB"):
        check_shape((10_000, 10_000, 1), 8)
