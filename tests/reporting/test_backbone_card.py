import dataclasses

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import PretrainConfig
from tfxfer.config.settings import setting_keys
from tfxfer.planning.plan import make_pretrain_plan
from tfxfer.reporting.backbone_card import backbone_card
from tfxfer.runs.metrics_record import Parameters, PretrainMetrics
from tfxfer.runs.scores.summary import Summary

METRICS = PretrainMetrics(
    splits={"validation": Summary(accuracy=0.51234, loss=2.0, num_examples=359)},
    seconds={},
    num_classes=10,
    parameters=Parameters(total=1, trained=1),
    epoch=3,
    training_seconds=3700.0,
)


def plan(tmp_path, **settings):
    config = PretrainConfig(
        data="digits", backbone="resnet10_small", epochs=4, runs_dir=str(tmp_path), **settings
    )
    return make_pretrain_plan(config)


def test_a_card_has_data_accuracy_and_shapes(tmp_path):
    text = backbone_card(plan(tmp_path), METRICS)
    assert "digits: 1,079 train, 359 validation, 359 test images" in text
    assert "| validation accuracy | 0.5123 (359 images), loss 2.0000 |" in text
    assert "| best epoch | 3 of 4" in text
    assert "1 h 01 min" in text
    assert "1,204,592 parameters" in text
    assert "float32 of shape (batch, 32, 32, 3)" in text
    assert "test accuracy" not in text


def test_its_recipe_repeats_the_run(tmp_path):
    decided = plan(tmp_path).config
    text = backbone_card(plan(tmp_path), METRICS)
    recipe = text.partition("## How to reproduce it")[2].split("\n\n", 2)[2]
    path = tmp_path / "recipe.toml"
    path.write_text("\n".join(line.removeprefix("    ") for line in recipe.splitlines()))
    again = read_recipe(path, PretrainConfig())
    assert all(again.get(key) == decided.get(key) for key in setting_keys(PretrainConfig))
    assert dataclasses.asdict(decided)["image_size"] == 32
