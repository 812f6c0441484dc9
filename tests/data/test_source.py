"""Splits and sources by themselves."""

import dataclasses
import hashlib

import numpy as np
import pytest
import tensorflow as tf
from noise_splits import black_split

from tfxfer.data.source import Source, first_few, places_of
from tfxfer.errors import UsageError


def test_the_first_few_of_many_names_are_listed():
    assert first_few(["a"], "class", "classes") == "1 class: a"
    assert first_few([*"abcdefg"], "class", "classes") == "7 classes: a, b, c, d, e and 2 more"


def test_selected_examples_keep_order_labels_ids_and_weights():
    for by_index in (True, False):
        split = black_split([(side, 5) for side in range(1, 8)], by_index=by_index)
        part = split.select(np.array([1, 4, 6]))
        heights = [tf.io.decode_png(file).shape[0] for file in part.open_images()]
        assert heights == [2, 5, 7]
        assert part.labels.tolist() == [1, 4, 6]
        assert [part.describe(index) for index in range(len(part))] == ["1", "4", "6"]
        np.testing.assert_array_equal(part.digests(), split.digests()[[1, 4, 6]])
        assert part.weights is None
        weighted = dataclasses.replace(split, weights=np.arange(7, dtype=np.float32))
        assert weighted.select(np.array([1, 4, 6])).weights.tolist() == [1, 4, 6]


def test_the_fingerprint_changes_with_every_image_label_and_split():
    split = black_split([(side, 5) for side in range(1, 8)], by_index=True)
    few, some = split.select(np.array([0, 1])), split.select(np.array([1, 2]))
    other = dataclasses.replace(few, labels=np.array([0, 0]))
    prints = [
        Source("a", names, splits, (5, 5)).fingerprint()
        for names, splits in (
            (("x", "y"), {"train": few, "validation": some}),
            (("x", "y"), {"train": some, "validation": few}),
            (("x", "y"), {"train": few}),
            (("x", "y"), {"train": few, "test": some}),
            (("x", "y"), {"train": other, "validation": some}),
            (("x", "z"), {"train": few, "validation": some}),
        )
    ]
    assert len(set(prints)) == len(prints)
    again = Source("b", ("x", "y"), {"train": few, "validation": some}, (9, 9))
    assert again.fingerprint() == prints[0]


def test_the_fingerprint_is_that_of_the_sorted_contents_with_their_labels():
    split = black_split([(side, 5) for side in range(1, 8)], by_index=True)
    names = tuple(map(str, range(7)))
    digest = hashlib.sha256("\n".join(names).encode() + b"\ntrain 7\n")
    rows = zip(split.digests(), split.labels.tolist(), strict=True)
    for row in sorted(row.tobytes() + label.to_bytes(4, "big") for row, label in rows):
        digest.update(row)
    assert Source("a", names, {"train": split}, (5, 5)).fingerprint() == digest.hexdigest()


def test_a_class_whose_name_is_no_text_is_refused():
    splits = {"train": black_split([(4, 4)], by_index=True)}
    with pytest.raises(UsageError, match=r"class name 'a\\udcff' is not UTF-8.*Rename it"):
        Source("data", ("b", "a\udcff"), splits, (4, 4))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a", " "), "only white space"),
        (("a", ""), "only white space"),
        (("a", "\u00a0\n"), "only white space"),
        (("a", "b\0"), "NUL"),
        (("a", "a"), "have the name 'a'"),
        (("caf\u00e9", "cafe\u0301"), "Unicode"),
    ],
)
def test_ambiguous_class_names_are_refused(names, told):
    splits = {"train": black_split([(4, 4)], by_index=True)}
    with pytest.raises(UsageError, match=f"{told}.*Rename"):
        Source("data", names, splits, (4, 4))


def test_class_names_are_found_among_others_however_unicode_writes_them():
    known = ("tea", "caf\u00e9", "cat ", "cat")
    assert places_of(("cat", "cafe\u0301", "cat ", "Cat"), known) == [3, 1, 2, None]
    # A model from before may tell the two apart.
    assert places_of(("e\u0301", "\u00e9"), ("\u00e9", "e\u0301")) == [1, 0]


def test_the_fingerprint_does_not_tell_how_unicode_writes_a_name():
    splits = {"train": black_split([(4, 4)], by_index=True)}
    one, other = (Source("a", (name, "x"), splits, (4, 4)) for name in ("\u00e9", "e\u0301"))
    assert one.fingerprint() == other.fingerprint()
