"""What the outputs of a fit are of is written beside its model."""

import dataclasses

import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.numbers import read_number
from tfxfer.data.labels.tasks import read_tasks
from tfxfer.planning.plan import make_plan
from tfxfer.runs.class_names import read_thresholds
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.heads.outputs import outputs_of, write_kind


@pytest.mark.parametrize(
    ("which", "settings", "special"),
    [
        ("valued", {"target": "price"}, "numeric"),
        ("tasked", {"tasks": "color,warmth"}, "multi-task"),
        ("tagged", {}, "multi-label"),
        ("pictures", {}, ""),
    ],
)
def test_each_kind_has_its_file(request, tmp_path, which, settings, special):
    data = str(request.getfixturevalue(which))
    config = FitConfig(data=data, backbone=SMALL_BACKBONE, weights="none", runs_dir=str(tmp_path))
    plan = make_plan(config.with_settings({"image_size": 32, **settings}))
    plan = dataclasses.replace(plan, run=RunDirectory(tmp_path))
    write_kind(plan)
    labels = plan.source.splits["validation"].labels
    found = outputs_of(plan, np.full((len(labels), len(plan.source.class_names)), 0.4), labels)
    assert (found.special, found.names) == (special, plan.source.class_names)
    assert (read_number(plan.run.target) is not None) == (special == "numeric")
    assert (read_tasks(plan.run.tasks) is not None) == (special == "multi-task")
    thresholds = read_thresholds(plan.run.thresholds, found.names)
    assert (thresholds is not None) == (special == "multi-label")
    assert found.number == read_number(plan.run.target)
