import dataclasses
import re

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from tfxfer.data.source import Source, in_any_order
from tfxfer.data.weighting import (
    balanced_weights,
    evaluation_weights,
    training_weights,
    without_weightless,
)
from tfxfer.errors import DataError

LABELS = np.array([0, 0, 0, 2, 0, 2, 0, 5])


def source(labels=LABELS, weights=None):
    """Returns a source of examples whose digests are their numbers; no image is ever read."""
    numbers = np.arange(len(labels), dtype=np.uint8)[:, None].repeat(16, axis=1)
    split = in_any_order(labels, lambda i: i, str, lambda: numbers)
    if weights is not None:
        split = dataclasses.replace(split, weights=np.array(weights, "float32"))
    names = ("a", "b", "c", "d", "e", "f")
    return Source("letters", names, {"train": split, "validation": split}, (8, 8))


def test_balanced_weights_are_those_of_scikit_learn():
    weights = balanced_weights(LABELS)
    assert weights.dtype == np.float32
    assert weights == pytest.approx(compute_sample_weight("balanced", LABELS), rel=1e-6)
    assert weights.tolist() == pytest.approx(
        [8 / (3 * count) for count in (5, 5, 5, 2, 5, 2, 5, 1)]
    )
    totals = np.bincount(LABELS, weights=weights)
    assert totals[[0, 2, 5]] == pytest.approx([8 / 3] * 3)
    assert weights.mean() == pytest.approx(1)


def test_validation_uses_the_class_weights_of_training():
    assert evaluation_weights(LABELS, "none") is None
    np.testing.assert_array_equal(evaluation_weights(LABELS, "balanced"), balanced_weights(LABELS))


def test_training_has_the_product_of_both_weights_with_a_mean_of_one():
    given = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    product = given * compute_sample_weight("balanced", LABELS)
    for class_weights, expected in (("none", given / 4.5), ("balanced", product / product.mean())):
        weighed = training_weights(source(weights=given).splits["train"], class_weights)
        assert weighed.dtype == np.float32
        assert weighed == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("labels", "weights", "class_weights"),
    [
        (LABELS, None, "none"),
        (LABELS, [1] * 8, "none"),
        (LABELS, [2.5] * 8, "none"),
        (np.array([0, 1, 0, 1]), None, "balanced"),
    ],
)
def test_weights_that_are_all_the_same_are_none(labels, weights, class_weights):
    assert training_weights(source(labels, weights).splits["train"], class_weights) is None


def test_examples_of_weight_zero_are_left_out_with_a_note():
    weights = [1, 0, 1, 1, 0, 1, 0, 1]
    left = np.flatnonzero(weights)
    weighed = without_weightless(source(weights=weights))
    train = weighed.splits["train"]
    np.testing.assert_array_equal(train.digests()[:, 0], left)
    assert training_weights(train, "balanced") == pytest.approx(
        compute_sample_weight("balanced", LABELS[left])
    )
    (note,) = weighed.notes
    assert re.search("left out of 'train'.* weight 0: 3$", note)
    assert len(weighed.splits["validation"]) == 8


def test_weights_that_are_all_zero_are_a_clear_error():
    with pytest.raises(DataError, match="'letters' .*weight 0"):
        without_weightless(source(weights=[0] * 8))
