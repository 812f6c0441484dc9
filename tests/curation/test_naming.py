"""What was found in features is named."""

import numpy as np
from made_galleries import blobs, gallery

from tfxfer.curation.naming import Naming
from tfxfer.curation.near_copies import NearGroup
from tfxfer.curation.outliers import Outliers
from tfxfer.curation.shift import Shift
from tfxfer.curation.suspects import Judged
from tfxfer.data.checks.by_features import NearCopies, Outlier, SplitShift, SuspectLabel


def naming():
    features, labels = blobs(num_each=3)
    made = gallery(features, labels, splits=[0, 0, 1] * 2 + [0, 0, 0])
    return Naming(made, ("ant", "bee", "cat"), ("train", "test"), "{}.jpg".format)


def test_a_suspect_has_its_given_and_its_suggested_class():
    suggested = np.array([0, 0, 0, 2, 1, 1, 2, 2, 2])
    judged = Judged(np.array([3]), suggested, np.full(9, 0.25), ())
    assert naming().suspects(judged) == (SuspectLabel("3.jpg", "bee", "cat", 0.25),)


def test_near_copies_have_splits_and_classes_and_no_distance_if_only_hashes_found_them():
    group = NearGroup(np.array([1, 2]), np.inf)
    expected = NearCopies(("1.jpg", "2.jpg"), ("train", "test"), ("ant", "ant"), None)
    assert naming().near_copies(group) == expected


def test_an_outlier_has_its_class():
    assert naming().outliers(Outliers(np.array([8]), np.array([2.5]))) == (
        Outlier("8.jpg", "cat", 2.5),
    )


def test_a_shift_says_which_classes_only_one_split_has():
    (found,) = naming().shifts([Shift((0, 1), 0.75, (0.5, 1.0))])
    assert found == SplitShift(("train", "test"), 0.75, (0.5, 1.0), (("cat",), ()))
    (unmeasured,) = naming().shifts([])
    assert (unmeasured.auroc, unmeasured.only_in) == (None, (("cat",), ()))
