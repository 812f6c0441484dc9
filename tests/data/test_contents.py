"""Which examples are the same, in what order they are, and which belong together."""

import numpy as np

from tfxfer.data.contents import canonical_order, found_in, inseparable
from tfxfer.system.digests import ids_of


def contents(*numbers):
    """Returns the digests of images, each of which a number stands for."""
    return ids_of((str(number).encode(),) for number in numbers)


def test_an_example_without_a_group_is_one_of_its_own():
    one, two, three, again = inseparable(contents(1, 2, 3, 2), ["", "", "a", ""])
    assert two == again
    assert len({one, two, three}) == 3
    one, two, three, four = inseparable(contents(1, 2, 3, 4), ["a", "", "a", ""])
    assert one == three
    assert len({one, two, four}) == 3
    assert sorted(inseparable(contents(1, 2), ["", ""])) == [0, 1]


def test_the_canonical_order_is_that_of_the_contents_and_keeps_copies_in_theirs():
    digests = np.array([[3, *[0] * 15], [1, *[9] * 15], [3, *[0] * 15], [1, *[0] * 15]], np.uint8)
    assert canonical_order(digests).tolist() == [3, 1, 0, 2]


def test_members_of_both_sets_are_found():
    assert found_in(contents(1, 2, 3), contents(3, 5, 1)).tolist() == [True, False, True]
    assert found_in(contents(1), contents()).tolist() == [False]
