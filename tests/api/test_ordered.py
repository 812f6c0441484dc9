"""Ordered classes, from the settings to what a server answers."""

import json

import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from conftest import small_config, trained_alone

from tfxfer.api.convert import convert
from tfxfer.api.evaluate import evaluate
from tfxfer.api.export import export
from tfxfer.api.fit import describe_plan
from tfxfer.api.predict import predict
from tfxfer.api.report import report
from tfxfer.errors import UsageError
from tfxfer.inference.loading import load

NAMES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def files(pictures):
    return sorted((pictures / "test").rglob("*.jpg"))


@pytest.mark.slow
def test_the_run_has_what_scikit_learn_computes(finished_order):
    result, lines = finished_order
    found = evaluate(result.run)
    assert found.class_names == NAMES
    assert found.is_ordered
    predicted = found.probabilities.argmax(axis=1)
    error = sklearn.metrics.mean_absolute_error(found.labels, predicted)
    kappa = sklearn.metrics.cohen_kappa_score(found.labels, predicted, weights="quadratic")
    assert result.metrics["test"]["mean_absolute_error"] == pytest.approx(error)
    assert result.metrics["test"]["quadratic_kappa"] == pytest.approx(kappa)
    recorded = json.loads((result.run / "evaluation.json").read_text())
    assert recorded["mean_absolute_error"] == pytest.approx(error)
    assert {"mean_absolute_error", "quadratic_kappa"} <= set(recorded["intervals"])
    assert "mean absolute error" in (result.run / "report.html").read_text()
    assert "quadratic kappa" in (result.run / "README.md").read_text()
    text = "\n".join(lines)
    assert "3 classes: red, green, blue" in text
    assert "ordered classes, a threshold between neighbors" in text
    assert "mean absolute error" in text
    assert (result.run / "classes.txt").read_text() == "red\ngreen\nblue\n"


@pytest.mark.slow
def test_the_export_the_file_and_the_run_give_the_same(finished_order, files, tmp_path):
    result, _ = finished_order
    trained, served = load(result.run), load(result.export)
    expected = trained.predict(files)
    assert expected.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert trained.is_ordered
    assert served.is_ordered
    assert served.predict(files) == pytest.approx(expected, abs=1e-5)
    assert evaluate(result.export, data=str(files[0].parents[2])).is_ordered
    answer = tf.saved_model.load(str(result.export)).signatures["serving_default"](
        image_bytes=tf.constant([file.read_bytes() for file in files])
    )
    names = [NAMES[place].encode() for place in expected.argmax(axis=1)]
    assert answer["label"].numpy().tolist() == names
    first = next(predict(result.run, files[:1]))
    assert first.ranked[0][0].encode() == names[0]
    version = export(result.run, export_dir=str(tmp_path), calibrate=True)
    calibrated = load(version).predict(files)
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    scaled = trained.objective.activate(
        trained.objective.logits_of(expected) / facts["calibration"]["temperature"]
    )
    assert calibrated == pytest.approx(scaled, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "litert", "onnx"])
def test_files_for_other_runtimes_agree(finished_order, tmp_path, kind):
    for package in {"litert": ["ai_edge_litert"], "onnx": ["onnxruntime", "tf2onnx"]}.get(kind, []):
        pytest.importorskip(package)
    result, _ = finished_order
    suffix = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx"}[kind]
    converted = convert(result.run, kind, output=tmp_path / f"model{suffix}")
    assert converted.agreement == 1


@pytest.mark.slow
def test_the_report_is_written_again(finished_order, tmp_path):
    result, _ = finished_order
    text = report(result.run, output=tmp_path / "again.html", say=lambda _: None).read_text()
    assert "mean absolute error" in text


@pytest.mark.slow
def test_gradient_steps_and_mixing_give_the_same_bits_twice(pictures, weights_file, tmp_path):
    outcomes = []
    for name in ("one", "two"):
        config = small_config(
            pictures,
            weights_file,
            tmp_path / name,
            ordered=True,
            class_order="red,green,blue",
            class_weights="balanced",
            head={"optimizer": "adam", "epochs": 4, "hidden_units": (8,)},
            finetune={"epochs": 2},
            augment={"mixup": 0.2},
        )
        outcomes.append(trained_alone(config))
    one, two = outcomes
    for ours, theirs in zip(one.model.get_weights(), two.model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    epochs = one.journal.history.epochs
    assert epochs[3].train_loss < epochs[0].train_loss
    # All outputs have the same weights.
    kernel, bias = one.model.get_layer("head").get_layer("thresholds").get_weights()
    assert (kernel == 1).all()
    assert len(bias) == 2


def test_orders_that_are_none_are_refused(pictures, weights_file, tmp_path):
    for settings, message in (
        ({}, "not all numbers: blue, green, red.*--class-order"),
        ({"class_order": "red,green"}, "'class_order' lacks classes of .*: blue"),
        ({"class_order": "red,gren,blue"}, "'gren', which is not a class.*Did you mean 'green'"),
        ({"class_order": "red,green,blue", "folds": 3}, "'folds'.*'ordered' is on"),
    ):
        config = small_config(pictures, weights_file, tmp_path, ordered=True, **settings)
        with pytest.raises(UsageError, match=message):
            describe_plan(config)
    for settings, message in (
        ({"class_order": "a,b"}, "'ordered' is off"),
        ({"class_order": "a,,b", "ordered": True}, "must name each class once"),
    ):
        with pytest.raises(UsageError, match=message):
            describe_plan(small_config(pictures, weights_file, tmp_path, **settings))
