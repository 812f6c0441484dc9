"""What is found in the data of a fit, on made features."""

import dataclasses

import numpy as np
import pytest
from made_galleries import blobs, gallery

from tfxfer.curation.section.known import KnownImages
from tfxfer.curation.section.looking import Asked, look
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_as_it_is

ASKED = Asked("small", ("a", "b", "c"), 0.01, frozenset(), 0)


@pytest.fixture(scope="module")
def digits():
    return Images(open_as_it_is("digits").splits["train"], 8)


def known(digits, features, labels, splits=None, num_known=None):
    made = gallery(features, labels, splits=splits)
    images = dict.fromkeys(range(2), digits)
    made = dataclasses.replace(made, images=images)
    return KnownImages(made, ("train", "validation"), num_known or len(labels))


@pytest.mark.parametrize("penalty", [0.01, None], ids=["heads", "neighbors alone"])
def test_changed_labels_are_found_with_and_without_heads(digits, penalty):
    features, labels = blobs()
    given = labels.copy()
    given[[3, 30]] = [1, 2]
    found = look(known(digits, features, given), dataclasses.replace(ASKED, penalty=penalty))
    assert sorted(found.judged.suspects) == [3, 30]
    assert {one.path for one in found.findings.suspects} == {"digits #3", "digits #30"}
    assert found.findings.suspects[0].suggested in ("a", "b")


def test_only_near_copies_across_splits_are_listed(digits):
    features, labels = blobs(num_each=30, num_features=64)
    for one, other in ((2, 3), (4, 5)):
        features[other] = features[one] + 1e-3
    splits = np.zeros(90, np.int64)
    splits[[5, 7]] = 1
    found = look(known(digits, features, labels, splits), ASKED)
    assert [group.members.tolist() for group in found.groups] == [[4, 5]]
    assert found.findings.near_copies[0].splits == ("train", "validation")


def test_a_split_that_was_drawn_at_random_is_not_tested_for_a_shift(digits):
    features, labels = blobs(num_each=30)
    splits = np.arange(90) % 2
    features[splits == 1, 5] += 3
    made = known(digits, features, labels, splits)
    assert [one.auroc for one in look(made, ASKED).findings.shifts] == [None]
    given = dataclasses.replace(ASKED, given_splits=frozenset({"train", "validation"}))
    assert look(made, given).findings.shifts[0].auroc > 0.95


def test_of_a_sample_no_class_is_said_to_be_missing(digits):
    features, labels = blobs()
    splits = np.where(labels == 2, 0, np.arange(60) % 2)
    (shift,) = look(known(digits, features, labels, splits), ASKED).findings.shifts
    assert shift.only_in == (("c",), ())
    (shift,) = look(known(digits, features, labels, splits, 9_000), ASKED).findings.shifts
    assert shift.only_in == ((), ())


def test_nine_images_of_three_classes_are_examined(digits):
    features, labels = blobs(num_each=3)
    found = look(known(digits, features, labels, np.array([0, 0, 1] * 3)), ASKED)
    assert found.findings.num_images == 9
    one_each = look(known(digits, *blobs(num_each=1)), ASKED)
    assert one_each.findings.unjudged == ("a", "b", "c")
