"""What the splits of data are called."""

import pytest

from tfxfer.data.split_names import SPLITS, split_of, splits_among


def test_the_splits_have_an_order():
    assert SPLITS == ("train", "validation", "test")


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (
            "train",
            ["train", "Training", "TRN", "train_set", "train-set", "training set", "Train2017"],
        ),
        (
            "train",
            ["seg_train", "train_images", "TrainingData", "x_train", "trainset", "train (1)"],
        ),
        ("validation", ["val", "valid_set", "Validation", "dev", "devset", "eval", "val_images"]),
        ("test", ["testing", "tst", "holdout", "hold-out", "held_out", "Hold Out Set", "test.set"]),
        (None, ["trainer", "contest", "fold1", "trainval", "train_test", "data", "tests", "", "1"]),
    ],
)
def test_the_usual_words_for_splits_are_known(split, names):
    assert {name: split_of(name) for name in names} == dict.fromkeys(names, split)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["test", "train"], {"train": "train", "test": "test"}),
        (
            ["training", "dev", "holdout"],
            {"train": "training", "validation": "dev", "test": "holdout"},
        ),
        (["val", "validation", "train"], {"train": "train", "validation": "validation"}),
        (["train", "val_images"], {"train": "train", "validation": "val_images"}),
        (["train", "train2014"], {"train": "train"}),
        (["train2014", "train2017", "test"], {"test": "test"}),
        (["extra", "unlabeled"], {}),
    ],
)
def test_the_splits_that_data_come_with_are_found_by_the_words_for_them(names, found):
    assert splits_among(names) == found
