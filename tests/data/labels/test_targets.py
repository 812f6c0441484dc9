"""Labels of either kind as arrays."""

import numpy as np

from tfxfer.data.labels.targets import (
    as_bytes,
    images_of_each,
    in_batches,
    names_of,
    numbered,
    occurring,
    unknown_names_of,
)

SEVERAL = np.array([[1, 0, np.nan], [1, 1, 0], [1, 0, np.nan]], np.float32)


def test_both_kinds_are_counted():
    assert images_of_each(np.array([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]
    assert images_of_each(SEVERAL, 3).tolist() == [3, 1, 0]
    assert occurring(np.array([2, 0, 2])) == {0, 2}
    assert occurring(SEVERAL) == {0, 1}


def test_what_is_unknown_is_no_label_but_makes_a_difference():
    assert numbered(SEVERAL).tolist()[0] == numbered(SEVERAL).tolist()[2]
    known = np.nan_to_num(SEVERAL)
    assert not np.array_equal(as_bytes(SEVERAL), as_bytes(known))
    assert names_of(SEVERAL[1], "abc") == ["a", "b"]
    assert (names_of(SEVERAL[0], "abc"), unknown_names_of(SEVERAL[0], "abc")) == (["a"], ["c"])
    assert (names_of(np.int64(1), "abc"), unknown_names_of(1, "abc")) == (["b"], [])


def test_batches_have_numbers_that_keras_takes():
    assert in_batches(np.array([1])).dtype == np.int32
    assert in_batches(SEVERAL).dtype == np.float32
