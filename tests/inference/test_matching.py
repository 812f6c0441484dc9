"""The labels of other data, as those of a model."""

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.tasks import Tasks
from tfxfer.inference.matching import reading_of, rows_by_name

TASKS = Tasks(("a", "b"), (("x", "y"), ("1", "2")))
TASKED = Outputs(TASKS.output_names, tasks=TASKS)
LABELS = Outputs(tuple("wxyz"), thresholds=np.full(4, 0.5))
NAN = np.nan


def test_a_manifest_is_read_as_that_of_the_model():
    folder = reading_of("photos", None, TASKED)
    assert (folder.tasks, folder.is_preference) == (("a", "b"), True)
    assert not reading_of("p.csv", None, TASKED).is_preference
    assert reading_of("p.csv", None, TASKED).tasks == ("a", "b")
    assert reading_of("p.csv", None, Outputs(("x", "y"))).kind == "single"
    config = FitConfig(label_separator=";")
    how = reading_of("p.csv", config, LABELS)
    assert (how.kind, how.separator) == ("multi", ";")
    assert reading_of("p.csv", None, LABELS).kind == "multi"


def test_classes_that_the_data_lack_are_not_those_of_an_image_whose_task_is_known():
    labels = np.array([[1, NAN], [0, 1]], np.float32)
    found = rows_by_name(labels, np.array([1, 2]), TASKED)
    np.testing.assert_array_equal(found, [[0, 1, NAN, NAN], [0, 0, 1, 0]])
    plain = rows_by_name(labels, np.array([1, 2]), LABELS)
    np.testing.assert_array_equal(plain, [[NAN, 1, NAN, NAN], [NAN, 0, 1, NAN]])
