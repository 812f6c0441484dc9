import csv
import json
import os
import re
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import COLORS, SMALL_BACKBONE, small_config

from tfxfer.api.fit import fit
from tfxfer.api.pretrain import describe_plan, pretrain
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import PretrainConfig
from tfxfer.config.settings import option_of
from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.layers import leaf_layers
from tfxfer.models.weights import load_backbone

BACKBONE = BACKBONES["resnet10_small"]


def quiet(_):
    pass


def settings(pictures, directory, **others):
    return {
        "data": str(pictures),
        "backbone": BACKBONE.name,
        "image_size": 16,
        "batch_size": 8,
        "epochs": 4,
        "runs_dir": str(directory),
    } | others


@pytest.fixture(scope="module")
def pretrained(pictures, tmp_path_factory):
    """A finished pretraining on the pictures, and what it said."""
    lines = []
    directory = tmp_path_factory.mktemp("pretrained")
    return pretrain(**settings(pictures, directory), say=lines.append), "\n".join(lines)


def weights(path):
    return keras.models.load_model(path).get_weights()


@pytest.mark.slow
def test_the_run_holds_the_backbone_and_what_explains_it(pretrained):
    result, _ = pretrained
    assert {path.name for path in result.run.iterdir()} == {
        "backbone.keras",
        "backbone.md",
        "best.weights.h5",
        "classes.txt",
        "config.toml",
        "history.csv",
        "metrics.json",
        "places.json",
        "splits.csv",
        "tensorboard",
    }
    metrics = json.loads((result.run / "metrics.json").read_text())
    assert metrics == result.metrics
    assert metrics["test"]["num_examples"] == 12
    assert metrics["parameters"]["trained"] < metrics["parameters"]["total"]  # statistics are not
    config = read_recipe(result.run / "config.toml", PretrainConfig())
    assert config.run == result.run.name == "pictures0-resnet10_small-pretrain"


@pytest.mark.slow
def test_it_learns_and_says_so(pretrained):
    result, said = pretrained
    assert result.metrics["validation"]["accuracy"] >= 0.7  # chance is 1/3
    assert "SGD, 4 epochs, learning rate" in said
    assert "batch size 8, label smoothing 0.1" in said
    assert said.count("pretrain") >= 4
    assert f"validation accuracy {result.metrics['validation']['accuracy']:.4f}" in said
    assert f"--weights {result.backbone} --data DATA" in said


@pytest.mark.slow
def test_the_backbone_is_a_plain_model_of_the_best_epoch(pretrained):
    result, _ = pretrained
    model = keras.models.load_model(result.backbone)
    assert model.input_shape == (None, 16, 16, 3)
    assert model.output_shape == (None, 2, 2, BACKBONE.num_features)
    assert not model.compiled
    moving = [layer for layer in leaf_layers(model) if layer.name.endswith("_bn")]
    assert all(np.abs(layer.moving_mean).max() > 0 for layer in moving)


@pytest.mark.slow
def test_the_card_says_where_it_comes_from_and_what_it_takes(pretrained):
    card = (pretrained[0].run / "backbone.md").read_text()
    assert card.startswith("# resnet10_small, pretrained on pictures0\n")
    assert "21 train, 9 validation, 12 test images" in card
    assert "RGB in [-1, 1]" in card
    assert "(batch, 16, 16, 3)" in card
    assert "    epochs = 4\n" in card


@pytest.mark.slow
def test_it_is_transferred_with_its_weights_unchanged(pretrained, pictures, tmp_path):
    result, _ = pretrained
    config = small_config(
        pictures,
        result.backbone,
        tmp_path,
        backbone=BACKBONE.name,
        head={"epochs": 2},
        finetune={"epochs": 0},
    )
    fitted = fit(config, say=quiet)
    inside = [
        weight
        for layer in leaf_layers(keras.models.load_model(fitted.model))
        if layer.name.startswith("conv")
        for weight in layer.get_weights()
    ]
    expected = load_backbone(BACKBONE, 32, str(result.backbone)).get_weights()
    assert len(inside) == len(expected)
    for ours, theirs in zip(inside, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_a_killed_pretraining_resumes_to_the_same_result(pretrained, pictures, tmp_path):
    arguments = settings(pictures, tmp_path)
    options = [part for name, value in arguments.items() for part in (option_of(name), str(value))]
    command = [
        sys.executable,
        "-c",
        "from tfxfer.cli import main; main()",
        "pretrain",
        *options,
    ]
    run = tmp_path / pretrained[0].run.name
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if re.match(rb"pretrain +epoch +3/4", line):
                break
        os.kill(process.pid, signal.SIGKILL)
    assert not (run / "backbone.keras").exists()
    lines = []
    result = pretrain(**arguments, say=lines.append)
    assert result.run == run
    assert any(re.match("resuming the pretrain phase after epoch ", line) for line in lines)
    assert "interrupted run" in lines[0]
    assert not (run / "checkpoints").exists()

    def rows(path):
        with (path / "history.csv").open() as file:
            return [{**row, "seconds": ""} for row in csv.DictReader(file)]

    assert rows(run) == rows(pretrained[0].run)
    whole = weights(pretrained[0].backbone)
    for ours, theirs in zip(weights(result.backbone), whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_interrupted_after_the_last_epoch_only_the_rest_is_done(pictures, tmp_path, monkeypatch):
    small = {"backbone": SMALL_BACKBONE, "image_size": 32}
    arguments = settings(pictures, tmp_path, epochs=1, **small)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tfxfer.api.pretrain.predict_splits", interrupted)
        pretrain(**arguments, say=quiet)
    lines = []
    result = pretrain(**arguments, say=lines.append)
    assert not any(re.match("pretrain +epoch", line) for line in lines)
    assert result.backbone.is_file()
    assert result.metrics["epoch"] == 1


@pytest.mark.slow
def test_a_finished_run_is_left_alone(pretrained, pictures):
    result, _ = pretrained
    directory = result.run.parent
    again = describe_plan(PretrainConfig(**settings(pictures, directory)))
    assert again.endswith(f"{result.run.name}-2")
    with pytest.raises(UsageError, match="already exists"):
        describe_plan(PretrainConfig(**settings(pictures, directory, run=result.run.name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "mobilenetv2_035", "efficientnetb0"])
def test_any_backbone_can_be_pretrained(name, pictures, tmp_path):
    others = {"backbone": name, "image_size": 32, "epochs": 1, "precision": "mixed_bfloat16"}
    result = pretrain(**settings(pictures, tmp_path, label_smoothing=0.0, **others), say=quiet)
    with (result.run / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    # It is evaluated in float32 after each epoch, as at the end.
    loss = result.metrics["validation"]["loss"]
    assert float(row["validation_loss"]) == pytest.approx(loss, abs=1e-5)
    backbone = load_backbone(BACKBONES[name], 32, str(result.backbone))
    # EfficientNet's normalization counts, too, what it was adapted to.
    dtypes = {weight.dtype for weight in backbone.get_weights() if weight.dtype.kind == "f"}
    assert dtypes == {np.dtype("float32")}
    assert len(COLORS) == result.metrics["num_classes"]
