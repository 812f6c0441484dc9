"""What outputs are of is one record: it decides, and an export tells it."""

import json

import numpy as np
import pytest

from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.tasks import Tasks

TASKS = Tasks(("species", "health"), (("cat", "dog"), ("ill", "well")))
CLASSES = Outputs(("cat", "dog"))
ORDERED = Outputs(("bad", "fair", "good"), is_ordered=True)
LABELS = Outputs(("cat", "dog"), thresholds=np.array([0.3, 0.7]))
TASKED = Outputs(TASKS.output_names, tasks=TASKS)


@pytest.mark.parametrize(
    ("outputs", "special", "words"),
    [
        (CLASSES, "", "one class per image"),
        (ORDERED, "", "one class per image"),
        (LABELS, "multi-label", "any number of labels per image"),
        (TASKED, "multi-task", TASKS.words),
    ],
)
def test_each_kind_has_its_words_and_is_read_as_it_was_written(outputs, special, words):
    assert (outputs.special, outputs.kind_of_labels) == (special, words)
    content = json.loads(json.dumps({**outputs.as_json(), "name": "photos"}))
    found = Outputs.of_json(outputs.names, content)
    assert (found.names, found.tasks) == (outputs.names, outputs.tasks)
    assert found.is_ordered == outputs.is_ordered
    np.testing.assert_array_equal(found.thresholds, outputs.thresholds)


def test_decisions_are_classes_labels_or_a_class_of_each_task():
    shares = np.array([[0.4, 0.6], [0.2, 0.8]])
    assert CLASSES.decisions(shares).tolist() == [1, 1]
    assert LABELS.decisions(shares).tolist() == [[True, False], [False, True]]
    assert LABELS.decisions(shares[0]).tolist() == [True, False]
    assert TASKED.decisions(np.array([[0.4, 0.6, 0.9, 0.1]])).tolist() == [[1, 0]]
