"""What a fit cannot do where an image may have several labels."""

import pytest
from conftest import small_config

from tfxfer.config.schema import PretrainConfig
from tfxfer.errors import UsageError
from tfxfer.models.sigmoids import ASYMMETRIC, SIGMOIDS
from tfxfer.planning.labels_description import describe_objective
from tfxfer.planning.plan import make_plan, make_pretrain_plan
from tfxfer.planning.several_labels import check_labels


@pytest.mark.parametrize(
    "settings",
    [
        {"compare_scratch": True},
        {"min_accuracy": 0.5},
        {"group_near_copies": True},
        {"folds": 5},
        {"unknown": True},
    ],
)
def test_settings_for_one_class_are_refused(tagged, weights_file, tmp_path, settings):
    (name,) = settings
    config = small_config(tagged, weights_file, tmp_path, **settings)
    with pytest.raises(UsageError, match=f"'{name}' .*'tagged' is multi-label.*one class"):
        make_plan(config)
    source = make_plan(small_config(tagged, weights_file, tmp_path)).source
    check_labels(small_config(tagged, weights_file, tmp_path), source)


def test_pretraining_is_for_one_class(tagged, tmp_path):
    config = PretrainConfig(data=str(tagged), backbone="small", runs_dir=str(tmp_path))
    with pytest.raises(UsageError, match="tfxfer pretrain.*multi-label.*one class"):
        make_pretrain_plan(config)


def test_the_asymmetric_loss_is_for_multi_label_data(
    tagged, tasked, pictures, weights_file, tmp_path
):
    plan = make_plan(small_config(tagged, weights_file, tmp_path, label_loss="asymmetric"))
    assert plan.objective is ASYMMETRIC
    assert "asymmetric loss (Ridnik et al. 2021)" in describe_objective(ASYMMETRIC)[0]
    assert "binary cross-entropy" in describe_objective(SIGMOIDS)[0]
    for data, more in ((pictures, {}), (tasked, {"tasks": "color,warmth"})):
        config = small_config(data, weights_file, tmp_path, label_loss="asymmetric", **more)
        with pytest.raises(UsageError, match=r"'label_loss' \(--label-loss\) is for multi-label"):
            make_plan(config)
