"""The images of a ranking: their folds, and when there are too few."""

import numpy as np
import pytest
from conftest import write_pictures

from tfxfer.data.opening import open_as_it_is
from tfxfer.errors import UsageError
from tfxfer.models.ordinal.coral import CORAL
from tfxfer.ranking.judging.labeled import Labeled, check_folds


def test_each_label_is_in_every_fold(tagged):
    splits = open_as_it_is(str(tagged)).splits
    labeled = Labeled.of([splits["train"], splits["validation"]], 5, 0, 2)
    assert labeled.special == "multi-label"
    assert labeled.num_folds == 5
    for column in labeled.labels.T:
        own = np.bincount(labeled.folds[column == 1], minlength=5)
        assert own.max() - own.min() <= 1
    again = Labeled.of([splits["train"], splits["validation"]], 5, 1, 2)
    assert not np.array_equal(again.folds, labeled.folds)


def test_ordered_classes_have_one_output_less(tmp_path):
    splits = open_as_it_is(str(write_pictures(tmp_path / "colors", 5))).splits
    labeled = Labeled.of(list(splits.values()), 5, 0, 3, CORAL)
    assert (labeled.num_outputs, labeled.special, labeled.metric.key) == (2, "", "accuracy")


@pytest.mark.parametrize(
    ("labels", "units", "parts"),
    [
        ([0, 0, 1, 1], [0, 1, 2, 3], ["5 folds", "4 different images"]),
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 2, 3], ["5 folds", "4 different"]),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], ["two different images", "Add images"]),
        ([0, 0, 0, 0, 0], [0, 1, 2, 3, 4], ["two classes"]),
    ],
)
def test_too_few_images_are_refused(labels, units, parts):
    labeled = Labeled(np.array(labels), np.zeros(len(labels), int), np.array(units), 5)
    with pytest.raises(UsageError) as error:
        check_folds(labeled, 5)
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(
    ("labels", "is_enough"),
    [
        ([[1, 1], [1, 0], [0, 0], [0, 0], [0, 0]], True),
        ([[1, 1], [0, 0], [0, 0], [0, 0], [0, 0]], False),
        ([[1, 1], [1, 0], [1, 0], [1, 0], [1, np.nan]], False),
    ],
)
def test_a_label_must_be_there_and_not_there_twice(labels, is_enough):
    labeled = Labeled(np.array(labels, np.float32), np.arange(5), np.arange(5), 2)
    if is_enough:
        check_folds(labeled, 5)
    else:
        with pytest.raises(UsageError, match="two have not. Add images"):
            check_folds(labeled, 5)
