"""What lists of settings have in common."""

import pytest

from tfxfer.models.presets.family import check_lengths, last_stride


def test_lists_of_a_group_are_of_one_length():
    check_lengths(([1], [2]), ([1, 2], [3, 4]))
    with pytest.raises(ValueError, match="differ"):
        check_lengths(([1], [2]), ([1, 2], [3]))


@pytest.mark.parametrize(("strides", "place"), [([1, 2, 2], 2), ([2, 2, 1], 1), ([1, 1], 0)])
def test_the_last_stride_above_one_is_found(strides, place):
    assert last_stride(strides) == place
