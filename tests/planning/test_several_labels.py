"""What a fit cannot do where an image may have several labels."""

import pytest
from conftest import small_config

from tfxfer.config.schema import PretrainConfig
from tfxfer.errors import UsageError
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
