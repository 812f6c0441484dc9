"""`fit --folds` with fine-tuning: a fit that validation judges, and then one on all images."""

import csv
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import small_config

from tfxfer.api.evaluate import evaluate
from tfxfer.api.export import export
from tfxfer.api.fit import fit
from tfxfer.api.report import report
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.errors import InterruptionError
from tfxfer.ranking.folding.final import on_everything
from tfxfer.ranking.folding.held_out import judged_on_validation
from tfxfer.training.epochs.callbacks import Checkpointing

SETTINGS = {
    "head": {"optimizer": "adam", "epochs": 1, "learning_rate": 1e-5},
    "finetune": {"epochs": 3, "learning_rate": 3e-3},
}


@pytest.fixture(scope="module")
def both(without_test, weights_file, tmp_path_factory):
    """The same fit with and without folds, with the settings of the one with folds."""
    found = {}
    for folds in (0, 3):
        folder = tmp_path_factory.mktemp(f"folds{folds}")
        asked = {**SETTINGS, "effort": "standard", "folds": folds}
        config = small_config(without_test, weights_file, folder, run="same", **asked)
        found[folds] = fit(config, say=lambda _: None)
    return {**found, "config": config}


def test_what_folds_have_judged_needs_no_other_fit():
    heads = SimpleNamespace(record=SimpleNamespace(final="head, on all 30 images"))
    assert judged_on_validation(None, heads, None) is heads


@pytest.mark.slow
def test_the_fit_that_validation_judges_is_the_one_without_folds(both):
    plain, folded = both[0], both[3].run / "validated"
    found = json.loads((folded / "metrics.json").read_text())
    for part in ("validation", "best", "calibration"):
        assert found[part] == plain.metrics[part]
    assert (folded / "trials.csv").is_file()
    assert not (folded / "model.keras").exists()


@pytest.mark.slow
def test_the_final_model_is_trained_on_all_images_with_what_it_found(both):
    plain, folded = both[0].metrics, both[3].metrics
    with (both[3].run / "splits.csv").open(newline="") as file:
        assert [row["split"] for row in csv.DictReader(file)] == ["train"] * 30
    told, config = folded["folds"], read_recipe(both[3].run / "config.toml", FitConfig())
    assert (told["num_validated"], told["num_examples"], told["of_fits"]) == (9, 30, False)
    assert told["final"].endswith("on all 30 images")
    best = plain["best"]
    assert config.finetune.epochs == (best["epoch"] if best["phase"] == "finetune" else 0)
    assert folded["search"] == plain["search"]
    # Its scores are those of validation in the other fit.
    assert folded["out-of-fold"]["accuracy"] == plain["validation"]["accuracy"]
    assert "validation" not in folded
    page = (both[3].run / "report.html").read_text("utf-8")
    for part in ("that were best on 9 validation images", "The search chose", "No validation"):
        assert part in page


@pytest.mark.slow
def test_the_images_of_that_fit_judge_it_later_too(both, tmp_path):
    run, scores = both[3].run, both[3].metrics["out-of-fold"]
    found = evaluate(run)
    assert (found.split, found.num_examples) == ("out-of-fold", 9)
    assert found.loss == pytest.approx(scores["loss"], abs=1e-6)
    report(run)
    again = json.loads((run / "evaluation.json").read_text())
    assert again["accuracy"] == scores["accuracy"]
    version = export(run, export_dir=str(tmp_path), calibrate=True)
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    temperature = both[3].metrics["calibration"]["temperature"]
    assert facts["calibration"]["temperature"] == pytest.approx(temperature, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("in_final", [False, True])
def test_it_resumes_to_the_same_weights(both, in_final, tmp_path, monkeypatch):
    again = both["config"].with_settings(
        {"runs_dir": str(tmp_path / "runs"), "export_dir": str(tmp_path / "exports")}
    )
    end, ended, final = Checkpointing.on_epoch_end, [], []

    def begun(fitting, judged):
        final.append(judged)
        return on_everything(fitting, judged)

    def interrupted(self, epoch, logs=None):
        end(self, epoch, logs)
        if bool(final) == in_final and not ended:
            ended.append(epoch)
            self._write(epoch + 1, 0)
            raise InterruptionError(2, "now")

    monkeypatch.setattr("tfxfer.api.fit.on_everything", begun)
    monkeypatch.setattr(Checkpointing, "on_epoch_end", interrupted)
    with pytest.raises(InterruptionError):
        fit(again, say=lambda _: None)
    resumed = fit(again, say=lambda _: None)
    assert ended
    ours, theirs = (keras.models.load_model(one.model) for one in (resumed, both[3]))
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    for part in ("out-of-fold", "folds", "search", "best"):
        assert resumed.metrics[part] == both[3].metrics[part]
