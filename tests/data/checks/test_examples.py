"""All examples of a source as one table."""

import numpy as np
import pytest
from conftest import write_cats_and_dogs

from tfxfer.data.checks.examples import Examples
from tfxfer.data.opening import open_as_it_is


@pytest.fixture
def examples(tmp_path):
    return Examples.of(open_as_it_is(str(write_cats_and_dogs(tmp_path))))


def test_examples_of_all_splits_are_in_one_table(examples, tmp_path):
    assert examples.split_names == ("train", "validation", "test")
    assert examples.splits.tolist() == [0] * 8 + [1] * 4 + [2] * 4
    assert examples.places.tolist() == [*range(8), *range(4), *range(4)]
    assert examples.labels.tolist() == [0] * 4 + [1] * 4 + [0, 0, 1, 1] * 2
    assert examples.readable.all()
    assert len(set(examples.contents.tolist())) == 16
    assert examples.name(9) == f"{tmp_path}/val/cat/1.jpg"
    affected = examples.singly(np.array([0, 15]), lambda index: f"the {index}th")
    assert affected.named == (
        (f"{tmp_path}/train/cat/0.jpg: the 0th",),
        (f"{tmp_path}/test/dog/1.jpg: the 15th",),
    )
