import itertools

import numpy as np
import pytest
import tensorflow as tf
from conftest import small_config
from small_network import SMALL

from tfxfer.config.recipes import changed_to_toml, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.models.layers import leaf_layers
from tfxfer.planning.description import describe_views
from tfxfer.planning.plan import make_plan
from tfxfer.planning.resuming import asked_settings
from tfxfer.runs.directory import start_run


def config(tmp_path, **settings):
    return FitConfig(
        data="digits",
        backbone=SMALL.name,
        weights="none",
        image_size=32,
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "exports"),
    ).with_settings(settings)


def test_a_plan_has_everything_decided(tmp_path):
    plan = make_plan(config(tmp_path))
    assert plan.config.run == "digits-small"
    assert plan.run.path == tmp_path / "runs" / "digits-small"
    assert plan.export_directory == tmp_path / "exports" / "digits-small"
    assert plan.config.precision in ("float32", "mixed_bfloat16", "mixed_float16")
    assert (plan.config.input_size, plan.config.image_size) == (8, 32)
    assert plan.config.augment.flip is False


def test_the_name_of_the_backbone_is_the_tables(tmp_path):
    plan = make_plan(config(tmp_path, backbone="MobileNet-025"))
    assert plan.config.backbone == "mobilenet_025"


def test_the_plan_is_printed_with_what_each_phase_trains(tmp_path):
    settings = {
        "head": {"epochs": 1, "optimizer": "adam", "augmented_views": 2},
        "finetune": {"unfreeze": "block_3", "epochs": 1},
    }
    plan = make_plan(config(tmp_path, **settings))
    classifier = plan.build_classifier("none")
    trainable = [layer.trainable for layer in leaf_layers(classifier.model)]
    lines = plan.describe(classifier).splitlines()
    assert [layer.trainable for layer in leaf_layers(classifier.model)] == trainable
    assert lines[0].split(maxsplit=1)[0] == "data"
    for part in ("digits", "1,079 train", "359 validation", "359 test"):
        assert part in lines[0]
    assert "10 classes: 0, 1, 2" in lines[1]
    assert "8 x 8 pixels" in lines[2]
    assert "32 x 32" in lines[2]
    (schedule,) = [line for line in lines if line.startswith("head phase ")]
    for part in ("Adam", "1 epoch", "learning rate 0.001", "cosine"):
        assert part in schedule
    assert any("batch size 32, weight decay" in line for line in lines)
    assert any("frozen backbone" in line and "2 augmented views" in line for line in lines)
    head = SMALL.num_features * 10 + 10
    expected = f"{head:,} trainable parameters, {SMALL.num_parameters:,} frozen"
    assert expected in [line.strip() for line in lines]
    assert any(
        "the head and the backbone in block_3" in line and "BatchNorm updated" in line
        for line in lines
    )
    # The statistics of BatchNorm are not trained.
    statistics = 2 * SMALL.num_features
    trained = sum(layer.count_params() for layer in classifier.stages["block_3"]) - statistics
    expected = f"{head + trained:,} trainable parameters, {SMALL.num_parameters - trained:,} frozen"
    assert any(expected in line for line in lines)


def test_the_plan_says_from_what_to_what_the_classes_weigh(tmp_path):
    grays = itertools.count()  # no two images are the same
    for name, count in {"cat": 12, "dog": 6, "lynx": 2}.items():
        for split in ("train", "validation"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(count if split == "train" else 1):
                picture = np.full((8, 8, 3), next(grays), np.uint8)
                encoded = tf.io.encode_png(picture).numpy()
                (tmp_path / "data" / split / name / f"{number}.png").write_bytes(encoded)
    asked = config(tmp_path, data=str(tmp_path / "data"))
    plan = make_plan(asked)
    assert plan.source.splits["train"].weights is None
    assert "class weights" not in plan.describe(plan.build_classifier("none"))
    plan = make_plan(asked.with_settings({"class_weights": "balanced"}))
    # 20 images of 3 classes: 20 / (3 * 12) and 20 / (3 * 2).
    text = plan.describe(plan.build_classifier("none"))
    row = text.index("\nclass weights ")
    first, second = text[row:].splitlines()[1:3]
    assert first.endswith("balanced, from 0.556 (cat) to 3.33 (lynx)")
    assert "validation" in second


def test_the_plan_says_where_balanced_weights_change_nothing(tmp_path, pictures):
    plan = make_plan(config(tmp_path, data=str(pictures), class_weights="balanced"))
    text = plan.describe(plan.build_classifier("none"))
    (line,) = [line for line in text.splitlines() if line.startswith("class weights ")]
    assert "balanced" in line
    assert "same number of training images" in line


def test_a_phase_without_epochs_is_left_out_of_the_plan(tmp_path):
    plan = make_plan(config(tmp_path))
    lines = plan.describe(plan.build_classifier("none")).splitlines()
    assert ["head", "phase", "skipped"] in [line.split() for line in lines]


def test_the_plan_says_how_a_head_is_solved(tmp_path):
    for settings, text in (
        ({"epochs": 9}, "L-BFGS, up to 9 iterations, L2 penalty chosen on validation"),
        ({"epochs": 9, "penalty": 0.1}, "L-BFGS, up to 9 iterations, L2 penalty 0.1"),
    ):
        plan = make_plan(config(tmp_path, head=settings))
        assert f"head phase      {text}\n" in plan.describe(plan.build_classifier("none"))


def test_a_run_that_is_resumed_by_name_has_the_portfolio_of_its_first_settings(
    pictures, weights_file, tmp_path
):
    asked = small_config(pictures, weights_file, tmp_path, effort="standard", run="one")
    plan = make_plan(asked)
    names = plan.source.class_names
    start_run(plan.run, to_toml(plan.config), names, changed_to_toml(asked))
    # Its settings are all decided: without those asked for, nothing would be left to vary.
    resumed = make_plan(asked_settings(FitConfig, None, {}, plan.run))
    assert resumed.config == plan.config
    assert resumed.portfolio == plan.portfolio
    with pytest.raises(UsageError, match="effort 'standard', now 'quick'"):
        asked_settings(FitConfig, None, {"effort": "quick"}, plan.run)


def test_test_time_views_are_a_row_of_the_plan(tmp_path):
    for views, count in (("none", 0), ("flip", 1)):
        plan = make_plan(config(tmp_path, test_time_views=views))
        assert len(describe_views(plan.config)) == count
