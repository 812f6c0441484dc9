"""Labels of libraries as arrays."""

import numpy as np
import pytest

from tfxfer.data.labels.tasks import Tasks
from tfxfer.data.libraries.labels import (
    are_known,
    check_tasks,
    rows_of_sequences,
    rows_of_tasks,
    without_unlabeled,
)
from tfxfer.data.source import Split
from tfxfer.errors import UsageError

TASKS = Tasks(("kind", "mood"), (("a", "b", "c"), ("d", "e")))


def test_a_label_that_is_named_twice_counts_once():
    rows = rows_of_sequences(np.array([2, 1]), np.array([1, 1, 0]), 2)
    assert rows.tolist() == [[0, 1], [1, 0]]


def test_images_without_any_label_are_left_out_with_a_note():
    labels = rows_of_tasks([np.array([0, -1, 2]), np.array([1, -1, -1])], TASKS)
    assert are_known(labels).tolist() == [True, False, True]
    split = Split(labels, lambda: None, str, lambda: np.zeros((3, 16), np.uint8))
    notes = []
    assert len(without_unlabeled(split, "test", notes)) == 2
    assert notes == ["1 of the 3 images of 'test' have no label, and were left out"]
    assert without_unlabeled(split.select(np.array([0])), "test", []).describe(0) == "0"


def test_a_task_needs_two_classes_in_train():
    labels = rows_of_tasks([np.array([0, 1]), np.array([1, 1])], TASKS)
    with pytest.raises(UsageError, match="'mood' of the dataset 'things' has only one class"):
        check_tasks("things", TASKS, labels)
    with pytest.raises(UsageError, match="'mood' .* no class"):
        check_tasks("things", TASKS, rows_of_tasks([np.array([0, 1]), np.array([-1, -1])], TASKS))
    check_tasks("things", TASKS, rows_of_tasks([np.array([0, 1]), np.array([1, 0])], TASKS))
