"""The labels of other data, as those of a model."""

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import AS_GIVEN
from tfxfer.data.labels.tasks import Tasks
from tfxfer.inference.matching import reading_of, rows_by_name

TASKS = Tasks(("a", "b"), (("x", "y"), ("1", "2")))
NAN = np.nan


def test_a_manifest_is_read_as_that_of_the_model():
    assert reading_of("photos", None, TASKS, is_multi_label=False) is AS_GIVEN
    assert reading_of("p.csv", None, TASKS, is_multi_label=False).tasks == ("a", "b")
    assert reading_of("p.csv", None, None, is_multi_label=False).kind == "single"
    config = FitConfig(label_separator=";")
    how = reading_of("p.csv", config, None, is_multi_label=True)
    assert (how.kind, how.separator) == ("multi", ";")
    assert reading_of("p.csv", None, None, is_multi_label=True).kind == "multi"


def test_classes_that_the_data_lack_are_not_those_of_an_image_whose_task_is_known():
    labels = np.array([[1, NAN], [0, 1]], np.float32)
    found = rows_by_name(labels, np.array([1, 2]), 4, TASKS)
    np.testing.assert_array_equal(found, [[0, 1, NAN, NAN], [0, 0, 1, 0]])
    plain = rows_by_name(labels, np.array([1, 2]), 4, None)
    np.testing.assert_array_equal(plain, [[NAN, 1, NAN, NAN], [NAN, 0, 1, NAN]])
