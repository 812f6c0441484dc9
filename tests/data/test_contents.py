"""Which examples are the same, in what order they are, and which belong together."""

import numpy as np

from tfxfer.data.contents import (
    NearCopyGroups,
    as_items,
    canonical_order,
    distinct,
    found_in,
    inseparable,
)
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


def test_contents_are_compared_byte_by_byte_zeros_at_their_end_included():
    # Of a few values, so that many begin alike, are alike, or end in zeros.
    rows = np.random.default_rng(0).choice([0, 1, 128, 255], (3000, 6), p=[0.7, 0.1, 0.1, 0.1])
    rows = rows.astype(np.uint8)
    rows = np.concatenate([rows, np.zeros((2, 6), np.uint8)])
    as_bytes = [row.tobytes() for row in rows]
    assert np.sort(as_items(rows)).tobytes() == b"".join(sorted(as_bytes))
    assert [row.tobytes() for row in distinct(rows)] == sorted(set(as_bytes))
    numbers = {content: number for number, content in enumerate(sorted(set(as_bytes)))}
    assert inseparable(rows).tolist() == [numbers[content] for content in as_bytes]
    some = set(as_bytes[:50])
    assert found_in(rows, rows[:50]).tolist() == [content in some for content in as_bytes]


def test_members_of_both_sets_are_found():
    assert found_in(contents(1, 2, 3), contents(3, 5, 1)).tolist() == [True, False, True]
    assert found_in(contents(1), contents()).tolist() == [False]


def test_near_copies_are_found_by_content_and_by_the_digests_of_an_export():
    near = NearCopyGroups.of([contents(1, 2, 2), contents(5, 6)])
    assert near.numbers_of(contents(6, 3, 2, 1)).tolist() == [1, -1, 0, 0]
    exported = NearCopyGroups.of_arrays(near.arrays(8))
    assert exported.digests.shape == (4, 8)
    assert exported.numbers_of(contents(6, 3, 2, 1)).tolist() == [1, -1, 0, 0]
    examples = contents(6, 3, 2, 1)
    assert exported.together(examples, None) == near.together(examples, None)
    assert NearCopyGroups.of_arrays({}) is None
    assert NearCopyGroups.of([]).numbers_of(contents(1)).tolist() == [-1]


def test_near_copies_get_a_group_that_other_images_do_not_change():
    few = NearCopyGroups.of([contents(1, 2)])
    more = NearCopyGroups.of([contents(8, 9), contents(2, 1)])
    first, second, alone = few.together(contents(1, 2, 3), None)
    assert first == second != ""
    assert alone == ""
    assert more.together(contents(2, 1, 3), None) == [first, first, ""]


def test_groups_of_the_data_that_have_near_copies_of_each_other_become_one():
    near = NearCopyGroups.of([contents(1, 2), contents(3, 4), contents(5, 6)])
    examples = contents(*range(10))
    groups = ["", "anna", "", "anna", "bert", "", "bert", "carl", "carl", "dora"]
    found = near.together(examples, groups)
    # 1 and 2 are near, 1 and 3 are of Anna, 3 and 4 are near, 4 and 6 of Bert, 5 and 6 are near.
    assert len(set(found[1:7])) == 1
    assert found[0] == ""
    assert found[7:] == ["carl", "carl", "dora"]
