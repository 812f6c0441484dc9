"""The tasks of multi-task data."""

import numpy as np
import pytest

from tfxfer.data.labels.tasks import MISSING, Tasks, read_tasks, write_tasks
from tfxfer.errors import UsageError

TASKS = Tasks(("species", "health"), (("a=b", "cat", "dog"), ("ill", "well")))


def test_outputs_are_those_of_all_tasks_in_a_row():
    assert TASKS.sizes == (3, 2)
    assert TASKS.columns == {"species": slice(0, 3), "health": slice(3, 5)}
    assert TASKS.output_names == (
        *("species=a=b", "species=cat", "species=dog"),
        *("health=ill", "health=well"),
    )
    assert Tasks.of_outputs(TASKS.names, TASKS.output_names) == TASKS
    assert TASKS.words == "the tasks species, health"


def test_the_class_of_each_task_is_that_of_the_highest_value():
    rows = np.array([[0, 1, 0, 1, 0], [np.nan] * 3 + [0, 1], [0.2, 0.4, 0.4, 0.5, 0.5]])
    assert TASKS.chosen(rows).tolist() == [[1, 0], [MISSING, 1], [1, 0]]
    assert TASKS.names_of(rows[1]) == {"species": "", "health": "well"}


def test_they_are_written_and_read(tmp_path):
    path = tmp_path / "tasks.json"
    assert read_tasks(path) is None
    write_tasks(path, TASKS)
    assert read_tasks(path) == TASKS
    assert list(TASKS.as_json()) == ["species", "health"]
    for text in ("{", "[1]", '{"a": 1}'):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"tasks.json' is not a JSON object"):
            read_tasks(path)
