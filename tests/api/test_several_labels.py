"""Images with several labels, from a manifest to what a server answers."""

import csv
import json
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from click.testing import CliRunner
from conftest import small_config, trained_alone

from tfxfer.api.check import check
from tfxfer.api.convert import convert
from tfxfer.api.evaluate import evaluate
from tfxfer.api.export import export
from tfxfer.api.fit import fit
from tfxfer.api.predict import predict
from tfxfer.api.rank import rank
from tfxfer.api.report import report
from tfxfer.cli.app import main
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.sources.digits import open_digits
from tfxfer.errors import DataError, ExportError, UsageError
from tfxfer.exporting.verification import check_export
from tfxfer.inference.given_images import prepared
from tfxfer.inference.loading import load
from tfxfer.runs.history import read_history
from tfxfer.system.run_layout import RunDirectory

NAMES = ("cold", "leafy")


@pytest.fixture(scope="module")
def files(pictures):
    return sorted((pictures / "test").rglob("*.jpg"))


@pytest.mark.slow
def test_the_run_has_what_scikit_learn_computes_of_its_predictions(finished_tags):
    result, _ = finished_tags
    found = evaluate(result.run)
    assert found.class_names == NAMES
    thresholds = json.loads((result.run / "thresholds.json").read_text())
    predicted = found.probabilities >= [thresholds[name] for name in NAMES]
    metrics = result.metrics["test"]
    expected = sklearn.metrics.average_precision_score(found.labels, found.probabilities)
    assert metrics["mean_average_precision"] == pytest.approx(expected)
    for average in ("macro", "micro"):
        f1 = sklearn.metrics.f1_score(found.labels, predicted, average=average)
        assert metrics[f"{average}_f1"] == pytest.approx(f1)
    assert metrics["average_precision"].keys() == set(NAMES)
    assert result.metrics["thresholds"] == thresholds
    assert json.loads((result.run / "metrics.json").read_text()) == result.metrics
    recorded = json.loads((result.run / "evaluation.json").read_text())
    assert recorded["labels"] == found.as_json()["labels"]
    assert recorded["co_occurrence"] == found.co_occurrence.tolist()


@pytest.mark.slow
def test_what_is_said_names_no_accuracy_of_classes(finished_tags):
    _, lines = finished_tags
    text = "\n".join(lines)
    assert "a sigmoid for each label" in text
    assert "test mean average precision" in text
    assert "test accuracy" not in text


@pytest.mark.slow
def test_the_export_the_file_and_the_run_give_the_same(finished_tags, files, tmp_path):
    result, _ = finished_tags
    trained, served = load(result.run), load(result.export)
    expected = trained.predict(files)
    assert served.predict(files) == pytest.approx(expected, abs=1e-5)
    np.testing.assert_array_equal(served.thresholds, trained.thresholds)
    answer = tf.saved_model.load(str(result.export)).signatures["serving_default"](
        image_bytes=tf.constant([file.read_bytes() for file in files])
    )
    assert set(answer) == {"probabilities", "chosen", "labels"}
    chosen = answer["chosen"].numpy()
    np.testing.assert_array_equal(chosen, trained.decisions(expected))
    names = np.where(chosen, [name.encode() for name in NAMES], b"")
    np.testing.assert_array_equal(answer["labels"].numpy(), names)
    # In a process that has never heard of tfxfer.
    shutil.copy(result.model, tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", np.stack([prepared(file, trained.frame) for file in files]))
    program = (
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras', safe_mode=True)\n"
        "np.save('found.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    assert np.load(tmp_path / "found.npy") == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_an_export_that_chooses_other_labels_is_refused(finished_tags, files):
    result, _ = finished_tags
    trained, encoded = load(result.run), [file.read_bytes() for file in files[:3]]
    for names, thresholds, message in (
        (NAMES, trained.thresholds + 0.9, "the chosen labels differ"),
        (NAMES[::-1], trained.thresholds, "the names of the labels differ"),
    ):
        with pytest.raises(ExportError, match=message):
            outputs = Outputs(names, thresholds=thresholds)
            check_export(result.export, trained.model, encoded, outputs)


@pytest.mark.slow
def test_predictions_are_all_labels_above_their_thresholds(finished_tags, files, tmp_path):
    result, _ = finished_tags
    trained = load(result.run)
    expected = trained.predict(files)
    (tmp_path / "none.jpg").write_bytes(b"none")
    found = list(predict(result.run, [*files, tmp_path / "none.jpg"]))
    for prediction, row in zip(found, expected):
        above = {n: p for n, p, t in zip(NAMES, row, trained.thresholds) if p >= t}
        assert dict(prediction.ranked) == pytest.approx(above)
        shares = [share for _, share in prediction.ranked]
        assert shares == sorted(shares, reverse=True)
    assert found[-1].error
    with pytest.raises(UsageError, match="Leave --top out"):
        next(predict(result.run, files, top=2))
    table = CliRunner().invoke(main, ["predict", str(result.run), *map(str, files)])
    assert len(table.stdout.splitlines()) == len(files)
    assert "no label" in table.stdout or all(prediction.ranked for prediction in found[:-1])
    lines = CliRunner().invoke(
        main, ["predict", str(result.run), str(files[0]), "--format", "jsonl"]
    )
    (first,) = map(json.loads, lines.stdout.splitlines())
    assert [(one["label"], one["probability"]) for one in first["labels"]] == [
        (name, pytest.approx(share)) for name, share in found[0].ranked
    ]
    output = tmp_path / "out.csv"
    arguments = ["predict", str(result.run), *map(str, files), "--format", "csv"]
    CliRunner().invoke(main, [*arguments, "--output", str(output)])
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["labels"] for row in rows] == [
        "|".join(name for name, _ in prediction.ranked) for prediction in found[:-1]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "litert", "onnx"])
def test_files_for_other_runtimes_agree(finished_tags, tmp_path, kind):
    for package in {"litert": ["ai_edge_litert"], "onnx": ["onnxruntime", "tf2onnx"]}.get(kind, []):
        pytest.importorskip(package)
    result, _ = finished_tags
    suffix = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx"}[kind]
    converted = convert(result.run, kind, output=tmp_path / f"model{suffix}")
    assert converted.agreement == 1
    assert converted.accuracy == converted.model_accuracy
    thresholds = (tmp_path / "thresholds.json").read_text()
    assert thresholds == (result.run / "thresholds.json").read_text()
    if kind == "keras":
        np.testing.assert_array_equal(load(converted.path).thresholds, load(result.run).thresholds)


@pytest.mark.slow
def test_a_calibrated_export_chooses_the_same_labels(finished_tags, files, tmp_path):
    result, _ = finished_tags
    trained = load(result.run)
    version = export(result.run, export_dir=str(tmp_path), calibrate=True)
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    assert facts["calibration"]["applied"]
    served = load(version)
    expected = trained.decisions(trained.predict(files))
    np.testing.assert_array_equal(served.decisions(served.predict(files)), expected)
    with pytest.raises(UsageError, match="'min_accuracy'.*one class"):
        export(result.run, export_dir=str(tmp_path), min_accuracy=0.5)


@pytest.mark.slow
def test_labels_of_other_data_are_matched_by_name(finished_tags, files, tmp_path, pictures):
    result, _ = finished_tags
    rows = [f"{file},{'leafy' if file.parent.name == 'green' else ''},test" for file in files]
    data = tmp_path / "other.csv"
    data.write_text("\n".join(["path,label,split", *rows, ""]))
    found = evaluate(result.run, data=str(data))
    own = evaluate(result.run)
    # Of the label that these data do not have nothing is known.
    assert np.isnan(found.labels[:, 0]).all()
    assert found.average_precision[1] == pytest.approx(own.average_precision[1])
    assert found.mean_average_precision == found.average_precision[1]
    assert any(re.search("labels .* unknown: cold", note) for note in found.notes)
    with pytest.raises(DataError, match="one class.*model.*any number"):
        evaluate(result.run, data=str(pictures))


@pytest.mark.slow
def test_the_report_is_written_again_and_runs_are_not_compared(finished_tags, tmp_path):
    result, _ = finished_tags
    path = report(result.run, output=tmp_path / "again.html", say=lambda _: None)
    text = path.read_text()
    assert "Label co-occurrence" in text
    assert "Confusion" not in text
    with pytest.raises(UsageError, match="multi-label.*tfxfer report "):
        report(result.run, result.run, output=tmp_path / "both.html")


def test_labels_are_not_examined_by_features(tagged):
    with pytest.raises(UsageError, match="--backbone.*multi-label"):
        check(str(tagged), backbone="resnet10_small")


def test_a_ranking_has_no_learning_curve(tagged):
    with pytest.raises(UsageError, match="learning curve.*multi-label"):
        rank("resnet10_small", data=str(tagged), learning_curve=True, say=lambda _: None)


@pytest.mark.slow
def test_balanced_labels_and_gradient_steps(tagged, weights_file, tmp_path):
    """Label by label, weights reach Keras, validation and the bits of a second run."""
    outcomes = []
    for name in ("one", "two"):
        config = small_config(
            tagged,
            weights_file,
            tmp_path / name,
            class_weights="balanced",
            label_smoothing=0.1,
            calibrate=True,
            head={"optimizer": "adam", "epochs": 4, "hidden_units": (8,), "augmented_views": 1},
            finetune={"epochs": 1},
        )
        outcomes.append(trained_alone(config))
    one, two = outcomes
    for ours, theirs in zip(one.model.get_weights(), two.model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    epochs = one.journal.history.epochs
    assert epochs[3].train_loss < epochs[0].train_loss
    assert one.metrics.calibration.applied
    # The validation loss of an epoch is the objective's own, with the same weights and smoothing.
    images = one.images["validation"]
    assert one.metrics.splits["validation"].loss == pytest.approx(
        np.mean(
            [
                sklearn.metrics.log_loss(images.labels[:, i], one.probabilities["validation"][:, i])
                for i in range(2)
            ]
        ),
        rel=1e-4,
    )


@pytest.mark.slow
def test_check_tells_of_labels(tmp_path, tagged):
    result = check(str(tagged))
    assert result.counts["train"].tolist() == [14, 7]
    assert result.as_json()["splits"]["train"]["num_examples"] == 21
    assert "all images " in result.describe()
    data = tmp_path / "tags.csv"
    data.write_text(tagged.read_text().replace("cold|leafy", "cold|leafy|green"))
    (finding,) = [one for one in check(str(data)).findings if one.kind == "labels always together"]
    assert finding.affected.named == (("green and leafy",),)


def digits_of(path):
    """Writes a manifest of the digits: which are even, large (5 or more), or have a loop."""
    rules = {
        "even": lambda digit: digit % 2 == 0,
        "large": lambda digit: digit >= 5,
        "loop": lambda digit: digit in (0, 6, 8, 9),
    }
    source = open_digits()
    split = source.splits["train"]
    lines = ["path,label,source"]
    for number, label in enumerate(split.labels):
        names = "|".join(name for name, rule in rules.items() if rule(label))
        lines.append(f"{split.describe(number)},{names},digits")
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.mark.slow
def test_digits_that_are_even_large_or_have_a_loop(tmp_path):
    data = digits_of(tmp_path / "digits.csv")
    result = fit(
        data=str(data),
        backbone="resnet10_small",
        effort="quick",
        finetune={"epochs": 0},
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "saved_models"),
        say=lambda _: None,
    )
    assert result.metrics["test"]["mean_average_precision"] > 0.97
    assert result.metrics["test"]["average_precision"].keys() == {"even", "large", "loop"}
    assert keras.models.load_model(result.model).output_shape == (None, 3)


@pytest.mark.slow
def test_the_asymmetric_loss_trains_head_and_backbone_and_is_judged(tagged, weights_file, tmp_path):
    config = small_config(
        tagged,
        weights_file,
        tmp_path,
        label_loss="asymmetric",
        head={"epochs": 20},
        finetune={"epochs": 2},
        augment={"mixup": 0.2},
    )
    lines = []
    result = fit(config, say=lines.append)
    assert any("asymmetric loss (Ridnik et al. 2021)" in line for line in lines)
    found = evaluate(result.run)
    assert found.mean_average_precision > 0.5
    assert "asymmetric loss" in (result.run / "README.md").read_text()
    epochs = read_history(RunDirectory(result.run))
    kept = tuple(result.metrics["best"].values())
    (best,) = [epoch for epoch in epochs if (epoch.phase, epoch.epoch) == kept]
    # Not that of the cross-entropy, which judges.
    assert best.validation_loss != pytest.approx(result.metrics["validation"]["loss"], rel=0.05)
