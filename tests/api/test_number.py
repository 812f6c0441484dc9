"""A number for each image, from the manifest to the exports."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from click.testing import CliRunner
from conftest import small_config

from tfxfer.api.convert import convert
from tfxfer.api.demo import what_is_shown
from tfxfer.api.evaluate import evaluate
from tfxfer.api.export import export
from tfxfer.api.fit import fit
from tfxfer.api.predict import predict
from tfxfer.api.report import report
from tfxfer.cli.app import main
from tfxfer.data.labels.numbers import Number
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.sources.digits import open_digits
from tfxfer.errors import DataError, ExportError, InterruptionError, UsageError
from tfxfer.exporting.verification import check_export
from tfxfer.inference.given_images import prepared
from tfxfer.inference.loading import load
from tfxfer.runs.history import read_history
from tfxfer.system.run_layout import RunDirectory


@pytest.fixture(scope="module")
def files(pictures):
    return sorted((pictures / "test").rglob("*.jpg"))


def numbers_of(manifest, split):
    with manifest.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split and row["price"]]
    return np.array([float(row["price"]) for row in rows])


@pytest.mark.slow
def test_the_run_has_what_scikit_learn_computes(finished_number, valued):
    result, lines = finished_number
    found, metrics = evaluate(result.run), result.metrics["test"]
    assert found.labels.tolist() == numbers_of(valued, "test").tolist()
    predicted = found.probabilities[:, 0]
    error = sklearn.metrics.mean_absolute_error(found.labels, predicted)
    assert metrics["mean_absolute_error"] == pytest.approx(error)
    assert metrics["r2"] == pytest.approx(sklearn.metrics.r2_score(found.labels, predicted))
    train = numbers_of(valued, "train")
    baseline = np.abs(found.labels - np.median(train)).mean()
    assert metrics["baseline_error"] == pytest.approx(baseline)
    assert Number.of_json(result.metrics["target"]) == Number.of("price", train)
    assert Number.of_json(json.loads((result.run / "target.json").read_text())) == found.number
    assert "calibration" not in result.metrics
    text = "\n".join(lines)
    for part in (
        "1 number per image, ",
        "a number, standardized by train; Huber loss",
        "ridge regression in closed form",
        "in closed form; 'best' marks",
        "val_mae ",
        "left out, with nothing in column 'price': 3 images",
        "always the training median",
    ):
        assert part in text
    assert "accuracy" not in text


@pytest.mark.slow
def test_the_best_epoch_has_the_lowest_mean_absolute_error(finished_number):
    result, _ = finished_number
    epochs = read_history(RunDirectory(result.run))
    highest = max(epoch.validation_accuracy for epoch in epochs)
    (best,) = [epoch for epoch in epochs if epoch.validation_accuracy == highest][:1]
    assert (best.phase, best.epoch) == tuple(result.metrics["best"].values())
    spread = result.metrics["target"]["spread"]
    error = result.metrics["validation"]["mean_absolute_error"]
    assert (1 - highest) * spread == pytest.approx(error, rel=1e-4)


@pytest.mark.slow
def test_the_export_the_file_and_the_run_give_the_same(finished_number, files, tmp_path):
    result, _ = finished_number
    trained, served = load(result.run), load(result.export)
    expected = trained.predict(files)
    assert expected.shape == (12, 1)
    assert served.outputs.number == trained.outputs.number
    assert served.predict(files) == pytest.approx(expected, rel=1e-5)
    signatures = tf.saved_model.load(str(result.export)).signatures
    answer = signatures["serving_default"](
        image_bytes=tf.constant([file.read_bytes() for file in files])
    )
    assert set(answer) == {"value"}
    assert answer["value"].numpy() == pytest.approx(expected[:, 0], rel=1e-5)
    assert set(signatures["features"].structured_outputs) == {"features"}
    # In a process that has never heard of tfxfer.
    shutil.copy(result.model, tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", np.stack([prepared(file, trained.frame) for file in files]))
    program = (
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras', safe_mode=True)\n"
        "np.save('found.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    assert np.load(tmp_path / "found.npy") == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_an_export_of_other_numbers_is_refused(finished_number, files):
    result, _ = finished_number
    trained, encoded = load(result.run), [file.read_bytes() for file in files[:3]]
    weights = trained.model.get_weights()
    trained.model.set_weights([*weights[:-1], weights[-1] + 0.01])
    outputs = Outputs(("price",), number=trained.outputs.number)
    with pytest.raises(ExportError, match="numbers differ by up to .* tolerance"):
        check_export(result.export, trained.model, encoded, outputs)


@pytest.mark.slow
def test_predictions_are_numbers_in_every_format(finished_number, files, tmp_path):
    result, _ = finished_number
    expected = load(result.run).predict(files)[:, 0].tolist()
    (tmp_path / "none.jpg").write_bytes(b"none")
    found = list(predict(result.run, [*files, tmp_path / "none.jpg"]))
    assert [one.value for one in found[:-1]] == pytest.approx(expected, rel=1e-5)
    assert found[-1].error
    assert found[-1].value is None
    with pytest.raises(UsageError, match="predicts the number 'price', and no classes"):
        next(predict(result.run, files, top=2))
    arguments = ["predict", str(result.run), *map(str, [*files[:2], tmp_path / "none.jpg"])]
    table = CliRunner().invoke(main, arguments)
    assert f"{files[0]}  price " in table.stdout
    lines = CliRunner().invoke(main, [*arguments, "--format", "jsonl"]).stdout.splitlines()
    assert json.loads(lines[0]) == {"path": str(files[0]), "value": pytest.approx(expected[0])}
    assert "error" in json.loads(lines[2])
    output = tmp_path / "out.csv"
    CliRunner().invoke(main, [*arguments, "--format", "csv", "--output", str(output)])
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "value", "error"]
    assert float(rows[1]["value"]) == pytest.approx(expected[1])
    assert rows[2]["error"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "litert", "onnx"])
def test_files_for_other_runtimes_agree(finished_number, tmp_path, kind):
    for package in {"litert": ["ai_edge_litert"], "onnx": ["onnxruntime", "tf2onnx"]}.get(kind, []):
        pytest.importorskip(package)
    result, _ = finished_number
    suffix = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx"}[kind]
    converted = convert(result.run, kind, output=tmp_path / f"model{suffix}")
    assert converted.agreement == 1
    assert converted.accuracy == pytest.approx(converted.model_accuracy, abs=1e-4)
    assert "standard deviations" in converted.describe()
    assert (tmp_path / "target.json").read_bytes() == (result.run / "target.json").read_bytes()
    if kind == "keras":
        assert load(converted.path).outputs.special == "numeric"
        (tmp_path / "classes.txt").write_text("cost\n")
        with pytest.raises(UsageError, match=r"target.json' is of 'price', but"):
            load(converted.path)


@pytest.mark.slow
def test_what_is_for_classes_is_refused_by_name(finished_number, pictures, tmp_path):
    result, _ = finished_number
    for settings in ({"calibrate": True}, {"min_accuracy": 0.5}):
        with pytest.raises(UsageError, match=rf"Setting '{next(iter(settings))}'.* is numeric"):
            export(result.run, export_dir=str(tmp_path), **settings)
    with pytest.raises(UsageError, match=r"'unknown' \(--unknown\) .* is numeric"):
        export(result.run, export_dir=str(tmp_path), unknown=True)
    with pytest.raises(UsageError, match="predicts the number 'price'"):
        what_is_shown(load(result.run), print)
    with pytest.raises(UsageError, match="is numeric; only runs with one class"):
        report(result.run, result.run, output=tmp_path / "both.html")
    with pytest.raises(DataError, match="one class.*model.*a number per image"):
        evaluate(result.run, data=str(pictures))
    space = CliRunner().invoke(
        main, ["demo", str(result.run), "--space", str(tmp_path / "space")], catch_exceptions=True
    )
    assert space.exit_code == 2
    assert "predicts a number" in space.output + (space.stderr or "")


@pytest.mark.slow
def test_other_data_are_read_as_the_model_was_trained(finished_number, files, tmp_path):
    result, _ = finished_number
    data = tmp_path / "other.csv"
    rows = [f"{file},{100 + number},test" for number, file in enumerate(files)]
    data.write_text("\n".join(["path,Price,split", *rows, ""]))
    found = evaluate(result.run, data=str(data))
    assert found.labels.tolist() == [100.0 + number for number in range(12)]
    path = report(result.run, output=tmp_path / "again.html", say=lambda _: None)
    assert "Predicted and true price" in path.read_text()


@pytest.mark.slow
def test_an_interrupted_run_is_resumed_bit_for_bit(valued, weights_file, tmp_path):
    import signal

    def config(directory):
        return small_config(
            valued, weights_file, directory, target="price", run="n", finetune={"epochs": 3}
        )

    whole = fit(config(tmp_path / "one"), say=lambda _: None)

    def interrupt(line):
        if line.startswith("finetune  epoch 2"):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(InterruptionError):
        fit(config(tmp_path / "two"), say=interrupt)
    resumed = fit(config(tmp_path / "two"), say=lambda _: None)
    one, two = (load(each.run).model.get_weights() for each in (whole, resumed))
    for ours, theirs in zip(one, two):
        np.testing.assert_array_equal(ours, theirs)
    assert whole.metrics["test"] == resumed.metrics["test"]
    # The record of its splits is a manifest that needs no setting.
    again = fit(
        config(tmp_path / "three"),
        data=str(whole.run / "splits.csv"),
        target=None,
        say=lambda _: None,
    )
    assert again.metrics["test"] == whole.metrics["test"]


@pytest.mark.slow
def test_a_search_and_a_gradient_head_train_numbers(valued, weights_file, tmp_path):
    lines = []
    result = fit(
        small_config(
            valued,
            weights_file,
            tmp_path,
            target="price",
            effort="standard",
            head={"optimizer": "adam", "epochs": 3, "hidden_units": (8,)},
            finetune={"epochs": 1},
        ),
        say=lines.append,
    )
    assert result.metrics["test"]["mean_absolute_error"] > 0
    text = "\n".join(lines)
    assert "accuracy" not in text, [line for line in lines if "accuracy" in line]


@pytest.mark.slow
def test_the_value_of_digits(tmp_path):
    split = open_digits().splits["train"]
    lines = ["path,value,source"]
    lines += [f"{split.describe(n)},{label},digits" for n, label in enumerate(split.labels)]
    data = tmp_path / "digits.csv"
    data.write_text("\n".join([*lines, ""]))
    result = fit(
        data=str(data),
        target="value",
        backbone="resnet10_small",
        effort="quick",
        finetune={"epochs": 0},
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "saved_models"),
        say=lambda _: None,
    )
    scores = result.metrics["test"]
    assert scores["mean_absolute_error"] < 0.5 * scores["baseline_error"]
    assert scores["r2"] > 0.6
