"""A fit that tells unknown images: what it sets aside, says, writes and exports."""

import csv
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from command_line import run
from conftest import small_config, write_pictures
from messages import parts

from tfxfer.api.evaluate import evaluate
from tfxfer.api.export import export
from tfxfer.api.fit import describe_plan, fit
from tfxfer.api.fitting import summary
from tfxfer.api.predict import predict
from tfxfer.api.report import report
from tfxfer.errors import UsageError
from tfxfer.evaluation.cautious import halves_of_validation
from tfxfer.inference.loading import load

RATES = {"unknown_rate": 0.2, "coverage": 0.8}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images with 36 of validation: half of them are enough for these rates."""
    folder = tmp_path_factory.mktemp("many")
    counts = {"train": 7, "validation": 12, "test": 6}
    for seed, (split, count) in enumerate(counts.items()):
        write_pictures(folder / split, count, seed=seed)
    return folder


@pytest.fixture(scope="module")
def config(data, weights_file, tmp_path_factory):
    settings = {"head": {"epochs": 2}, "finetune": {"epochs": 1}, "unknown": True, **RATES}
    folder = tmp_path_factory.mktemp("unknown")
    return small_config(data, weights_file, folder, run="careful", **settings)


@pytest.fixture(scope="module")
def careful(config):
    """A finished run that tells unknown images, and what it said."""
    lines = []
    return fit(config, say=lines.append), lines


@pytest.mark.slow
def test_half_of_validation_is_set_aside(careful, config):
    result, _ = careful
    told = result.metrics["caution"]["limits"]
    assert result.metrics["validation"]["num_examples"] == 18
    assert (told["num_calibration"], told["calibrated_on"]) == (18, "set aside from validation")
    assert told["is_independent"]
    split = load(result.run).open_source().splits["validation"]
    choosing, set_aside = halves_of_validation(split, config.seed)
    assert np.bincount(set_aside.labels).tolist() == [6, 6, 6]
    both = {split.describe(place) for place in range(36)}
    names = [{half.describe(place) for place in range(18)} for half in (choosing, set_aside)]
    assert names[0] | names[1] == both
    assert not names[0] & names[1]
    assert "half of the 36 validation images are set aside" in describe_plan(
        config.with_settings({"run": "other"})
    )


@pytest.mark.slow
def test_it_is_said_and_stands_in_report_and_card(careful):
    result, lines = careful
    measured = result.metrics["caution"]["measured"]
    assert (measured["split"], measured["num_examples"]) == ("test", 18)
    assert 0 <= measured["unknown_rate"] <= 1
    assert "unknown above a distance of" in lines[-2]
    assert "on 18 test images" in lines[-2]
    assert "Unknown images: " in (result.run / "report.html").read_text("utf-8")
    card = (result.run / "README.md").read_text("utf-8")
    assert "18 validation images that were set aside" in card
    assert "`model.keras` always predicts one of its classes" in card
    assert result.metrics["seconds"]["unknown"] > 0
    report(result.run)
    assert "Unknown images: " in (result.run / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_run_and_export_say_the_same_also_when_exported_again(careful, data, tmp_path):
    result, _ = careful
    files = sorted((data / "test").rglob("*.jpg"))
    own = list(predict(result.run, files))
    assert sum(one.doubt.unknown for one in own) <= 9
    again = export(result.run, export_dir=str(tmp_path))
    for model in (result.export, again):
        for one, other in zip(own, predict(model, files), strict=True):
            assert other.doubt.score == pytest.approx(one.doubt.score, abs=1e-3)
            assert other.doubt.unknown == one.doubt.unknown
            assert other.doubt.in_set == one.doubt.in_set
    facts = json.loads((again / "assets" / "tfxfer.json").read_text())
    assert facts["caution"] == result.metrics["caution"]["limits"]


@pytest.mark.slow
def test_a_calibrated_export_has_limits_of_its_own(careful, tmp_path):
    result, _ = careful
    said = []
    path = export(result.run, export_dir=str(tmp_path), calibrate=True, say=said.append)
    assert any("calibrated on 18 images (set aside from validation)" in line for line in said)
    assert "unknown" in tf.saved_model.load(str(path)).signatures["pixels"].structured_outputs
    others = export(
        result.run, export_dir=str(tmp_path), unknown=True, unknown_rate=0.3, coverage=0.7
    )
    facts = json.loads((others / "assets" / "tfxfer.json").read_text())
    assert (facts["caution"]["unknown_rate"], facts["caution"]["coverage"]) == (0.3, 0.7)


@pytest.mark.slow
def test_a_copied_file_tells_too(careful, tmp_path):
    result, _ = careful
    copied = run("export", result.run, "--format", "keras", "--output", tmp_path / "a.keras")
    assert copied.exit_code == 0
    assert load(tmp_path / "a.keras").is_cautious


def test_too_few_images_are_said_before_training(config, tmp_path):
    few = config.with_settings({"unknown_rate": 0.05, "runs_dir": str(tmp_path), "run": "few"})
    with pytest.raises(UsageError, match=parts("half of the 36 ... at least 19 images")):
        fit(few, say=lambda _: None)
    assert not (tmp_path / "few").exists()


def test_without_folds_or_caution_nothing_is_said_of_them(finished):
    _, lines = finished
    assert "unknown" not in lines[-2]
    assert summary.next_steps.__doc__.startswith("Returns where the report is")


@pytest.mark.slow
def test_without_test_images_fit_report_evaluation_and_export_agree(
    data, config, tmp_path_factory, tmp_path
):
    """The 18 images that chose the epoch evaluate the model; those that were set aside do not."""
    folder = tmp_path_factory.mktemp("untested")
    for split in ("train", "validation"):
        shutil.copytree(data / split, folder / split)
    places = {"runs_dir": str(tmp_path / "runs"), "export_dir": str(tmp_path / "exports")}
    result = fit(config.with_settings({"data": str(folder), **places}), say=lambda _: None)
    before = decisions(result.run)
    splits = "21 train, 18 validation, 18 calibration images"
    assert (len(before), splits in (result.run / "report.html").read_text()) == (18, True)
    report(result.run)
    assert decisions(result.run) == before
    assert splits in (result.run / "report.html").read_text()
    assert evaluate(result.run).accuracy == result.metrics["validation"]["accuracy"]
    served = evaluate(result.export, data=str(folder))
    assert (served.split, served.num_examples) == ("validation", 18)
    assert served.accuracy == result.metrics["validation"]["accuracy"]
    again = export(result.run, export_dir=str(tmp_path / "again"), min_accuracy=0.01)
    facts = json.loads((again / "assets" / "tfxfer.json").read_text())
    assert facts["validation"]["num_examples"] == 18
    # Other data are not halved.
    assert evaluate(result.run, data=str(data / "test"), split="all").num_examples == 18


def decisions(directory):
    """Returns the image, the label and the predicted class of each prediction of a run."""
    with (directory / "predictions.csv").open() as file:
        return [row[:3] for row in csv.reader(file)][1:]
