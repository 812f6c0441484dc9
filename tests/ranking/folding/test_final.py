"""The fit on all labeled images that follows a cross-validation."""

import csv
import json

import keras
import numpy as np
import pytest
from conftest import small_config, write_pictures

from tfxfer.api.evaluate import evaluate
from tfxfer.api.export import export
from tfxfer.api.fit import describe_plan, fit
from tfxfer.api.report import report
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_as_it_is
from tfxfer.data.splitting import joined
from tfxfer.errors import InterruptionError, UsageError
from tfxfer.evaluation.cautioning import Rates
from tfxfer.evaluation.cautious import with_caution
from tfxfer.inference.loading import load
from tfxfer.models.heads import with_features
from tfxfer.ranking.folding.final import middle
from tfxfer.training.epochs.callbacks import Checkpointing

HEAD = {"head": {"optimizer": "lbfgs", "epochs": 50}, "finetune": {"epochs": 0}, "folds": 3}
WHOLE = {
    # A head that is left to fine-tuning.
    "head": {"optimizer": "adam", "epochs": 1, "learning_rate": 1e-5},
    "finetune": {"epochs": 3, "learning_rate": 3e-3},
    **{"folds": 3, "folds_finetune": True},
}


def config_of(data, weights_file, directory, settings, **more):
    return small_config(data, weights_file, directory, run="all", **settings, **more)


def test_the_middle_is_one_of_the_values():
    assert middle([0.1, 0.01, 1.0]) == 0.1
    assert middle([2, 5, 3, 4]) == 4
    assert middle([0]) == 0


def test_the_plan_says_what_the_final_model_is_trained_on(pictures, weights_file, tmp_path):
    for settings, told in ((HEAD, "final model on all"), (WHOLE, "final model on all")):
        assert told in describe_plan(config_of(pictures, weights_file, tmp_path, settings))
    fine_tuned = {**HEAD, "finetune": {"epochs": 2}}
    told = describe_plan(config_of(pictures, weights_file, tmp_path, fine_tuned))
    assert "a fit on the training images, judged by the validation images" in told
    assert "then the final model on all of them, with what that fit found" in told


@pytest.fixture(scope="module")
def head(pictures, weights_file, tmp_path_factory):
    """A head on all images, and what was said."""
    lines = []
    config = config_of(pictures, weights_file, tmp_path_factory.mktemp("head"), HEAD)
    return fit(config, say=lines.append), lines


@pytest.fixture(scope="module")
def whole(without_test, weights_file, tmp_path_factory):
    """A fine-tuned fit on all images, without a test split, calibrated."""
    lines, folder = [], tmp_path_factory.mktemp("whole")
    config = config_of(without_test, weights_file, folder, WHOLE, calibrate=True)
    return fit(config, say=lines.append), lines, config


@pytest.mark.slow
def test_the_head_is_that_of_scikit_learn_on_training_and_validation_images(head, pictures):
    from sklearn.linear_model import LogisticRegression

    result, lines = head
    told, config = result.metrics["folds"], read_recipe(result.run / "config.toml", FitConfig())
    assert f"L2 penalty {config.head.penalty:g}, on all 30 images" in told["final"]
    assert any(line.startswith("final model") for line in lines)
    model = keras.models.load_model(result.model)
    outputs = with_features(model)

    def features_of(images):
        return outputs.predict(images, verbose=0)["features"]

    splits = open_as_it_is(str(pictures)).splits
    both = Images(joined(splits["train"], splits["validation"]), 32)
    rows = features_of(np.asarray(both.kept, np.float32))
    test = Images(splits["test"], 32)
    images = np.asarray(test.kept, np.float32)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread < 1e-6] = 1
    solver = LogisticRegression(C=1 / (config.head.penalty * 30), tol=1e-9, max_iter=10_000)
    solver.fit((rows - mean) / spread, both.labels)
    expected = solver.predict_proba((features_of(images) - mean) / spread)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=5e-3)


@pytest.mark.slow
def test_an_export_is_calibrated_on_out_of_fold_predictions(without_test, weights_file, tmp_path):
    config = config_of(without_test, weights_file, tmp_path, HEAD)
    result = fit(config, say=lambda _: None)
    version = export(result.run, calibrate=True, min_accuracy=0.01)
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    temperature = result.metrics["calibration"]["temperature"]
    assert facts["calibration"]["temperature"] == pytest.approx(temperature)
    assert facts["out-of-fold"]["accuracy"] == result.metrics["out-of-fold"]["accuracy"]
    # Other data are evaluated as they are.
    other = evaluate(result.run, data=str(without_test / "train"))
    assert other.split == "all"


@pytest.mark.slow
def test_out_of_fold_predictions_judge_it_beside_the_test_split(head):
    result, lines = head
    metrics = result.metrics
    assert metrics["out-of-fold"]["num_examples"] == 30
    assert metrics["out-of-fold"]["accuracy"] == metrics["folds"]["accuracy"]
    assert metrics["test"]["num_examples"] == 12
    assert "validation" not in metrics
    assert set(metrics["calibration"]) == {"temperature", "test", "out-of-fold", "applied"}
    assert "no validation images judged it" in lines[-2]
    assert "out-of-fold accuracy" in lines[-2]
    for name in ("report.html", "README.md"):
        assert "no validation split judged it" in (result.run / name).read_text("utf-8")
    with (result.run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["validation_loss"] for row in rows} == {"nan"}
    assert not list((result.run / "tensorboard" / "validation").glob("*scalar*"))


@pytest.mark.slow
def test_data_are_known_in_their_new_splits(head, tmp_path):
    result, _ = head
    with (result.run / "splits.csv").open(newline="") as file:
        splits = [row["split"] for row in csv.DictReader(file)]
    assert (splits.count("train"), splits.count("test"), len(splits)) == (30, 12, 42)
    source = load(result.run).open_source()
    assert {name: len(split) for name, split in source.splits.items()} == {"train": 30, "test": 12}
    assert source.num_trained_on == 30
    with pytest.raises(UsageError, match="no split 'validation'.*trained on its images, too"):
        evaluate(result.run, split="validation")
    assert evaluate(result.run).accuracy == result.metrics["test"]["accuracy"]
    version = export(result.run, export_dir=str(tmp_path), calibrate=True)
    assert load(version).seen.is_joined
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    temperature = result.metrics["calibration"]["temperature"]
    assert facts["calibration"]["temperature"] == pytest.approx(temperature, rel=1e-3)


@pytest.mark.slow
def test_a_fine_tuned_model_has_the_epochs_that_the_folds_found(whole):
    result, lines, _ = whole
    best = []
    for fold in (1, 2, 3):
        one = json.loads((result.run / f"fold-{fold}" / "metrics.json").read_text())["best"]
        best.append(one["epoch"] if one["phase"] == "finetune" else 0)
    config = read_recipe(result.run / "config.toml", FitConfig())
    assert config.finetune.epochs == sorted(best)[1]
    told = result.metrics["folds"]["final"]
    assert f"best: {best[0]}, {best[1]}, {best[2]}" in told
    assert told.endswith("on all 30 images")
    assert config.head.epochs == 1
    *_, last = [line for line in lines if line.startswith("finetune  epoch")]
    assert config.finetune.epochs > 0
    assert "val_" not in last
    assert "best" not in last


@pytest.mark.slow
def test_without_a_test_split_out_of_fold_predictions_are_reported(whole):
    result, _, _ = whole
    metrics = result.metrics
    assert set(metrics) & {"test", "validation", "out-of-fold"} == {"out-of-fold"}
    with np.load(result.run / "out_of_fold.npz") as content:
        raw = content["probabilities"]
    assert raw.shape == (30, 3)
    temperature = metrics["calibration"]["temperature"]
    assert metrics["calibration"]["applied"]
    with (result.run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    powers = raw ** (1 / temperature)
    expected = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    found = sorted(float(row["confidence"]) for row in rows)
    np.testing.assert_allclose(found, sorted(expected), atol=2e-5)
    page = (result.run / "report.html").read_text("utf-8")
    assert "no validation split judged this model" in page
    assert "temperature" in page
    before = (result.run / "evaluation.json").read_text()
    report(result.run)
    again = (result.run / "evaluation.json").read_text()
    for name in ("accuracy", "loss"):
        assert json.loads(again)[name] == pytest.approx(json.loads(before)[name], abs=1e-6)
    evaluated = evaluate(result.run)
    assert (evaluated.split, evaluated.num_examples) == ("out-of-fold", 30)
    assert evaluated.loss == pytest.approx(json.loads(before)["loss"], abs=1e-6)
    assert evaluate(result.run, split="all").split == "all"
    assert "gray band" not in page


@pytest.mark.slow
def test_an_interrupted_final_fit_resumes_to_the_same_weights(whole, tmp_path, monkeypatch):
    result, _, config = whole
    again = config.with_settings(
        {"runs_dir": str(tmp_path / "runs"), "export_dir": str(tmp_path / "exports")}
    )
    end, ended = Checkpointing.on_epoch_end, []

    def interrupted(self, epoch, logs=None):
        end(self, epoch, logs)
        is_final = self._journal.history._run.path.name == "all"
        if is_final and not ended:
            ended.append(epoch)
            self._write(epoch + 1, 0)
            raise InterruptionError(2, "now")

    monkeypatch.setattr(Checkpointing, "on_epoch_end", interrupted)
    with pytest.raises(InterruptionError):
        fit(again, say=lambda _: None)
    resumed = fit(again, say=lambda _: None)
    assert ended
    ours, theirs = (keras.models.load_model(one.model) for one in (resumed, result))
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    parts = ("out-of-fold", "folds", "calibration", "best")
    assert all(resumed.metrics[part] == result.metrics[part] for part in parts)


@pytest.mark.slow
def test_images_set_aside_stay_so(weights_file, tmp_path):
    for seed, (split, count) in enumerate({"train": 7, "validation": 12, "test": 6}.items()):
        write_pictures(tmp_path / "data" / split, count, seed=seed)
    rates = {"unknown": True, "unknown_rate": 0.2, "coverage": 0.8}
    config = config_of(tmp_path / "data", weights_file, tmp_path, HEAD, **rates)
    result = fit(config, say=lambda _: None)
    assert result.metrics["folds"]["num_examples"] == 39
    assert result.metrics["caution"]["limits"]["num_calibration"] == 18
    source = load(result.run).open_source()
    sizes = {name: len(split) for name, split in source.splits.items()}
    assert sizes == {"train": 39, "validation": 18, "test": 18}
    again = with_caution(load(result.run), source, Rates(0.2, 0.8))
    assert again.caution.record.num_calibration == 18
