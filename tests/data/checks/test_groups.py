"""Groups of a handful of examples, counted by hand."""

import numpy as np
import pytest

from tfxfer.data.checks.groups import Groups

#                  0  1  2  3  4  5  6  7
NUMBERS = np.array([2, 0, 2, 1, 0, 2, 2, 3])
KINDS = np.array([5, 0, 5, 1, 1, 5, 7, 0])


@pytest.fixture
def groups():
    return Groups(NUMBERS)


def test_members_are_in_their_order(groups):
    assert [groups.members(number).tolist() for number in range(4)] == [
        [1, 4],
        [3],
        [0, 2, 5, 6],
        [7],
    ]
    assert groups.sizes.tolist() == [2, 1, 4, 1]


def test_different_values_of_a_group_are_counted(groups):
    assert groups.num_different(KINDS).tolist() == [2, 1, 2, 1]
    assert groups.num_different(np.arange(8)).tolist() == groups.sizes.tolist()


def test_of_groups_the_largest_is_first_and_then_that_of_the_first_example(groups):
    assert groups.largest_first(np.ones(4, bool)).tolist() == [2, 0, 1, 3]
    assert groups.largest_first(np.array([False, True, False, True])).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("limit", "expected"), [(4, [0, 2, 5, 6]), (3, [0, 2, 6]), (2, [0, 6]), (1, [0])]
)
def test_a_large_group_lists_some_of_each_kind(groups, limit, expected):
    assert groups.telling(2, KINDS, limit).tolist() == expected


def test_there_may_be_none():
    groups = Groups(np.zeros(0, np.int64))
    assert groups.num_different(np.zeros(0, np.int64)).tolist() == []
    assert groups.largest_first(np.zeros(0, bool)).tolist() == []
