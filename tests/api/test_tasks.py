"""Several tasks for each image, from a manifest to what a server answers."""

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
from tfxfer.data.labels.tasks import Tasks
from tfxfer.data.sources.digits import open_digits
from tfxfer.errors import DataError, ExportError, UsageError
from tfxfer.exporting.verification import check_export
from tfxfer.inference.given_images import prepared
from tfxfer.inference.loading import load

TASKS = Tasks(("color", "warmth"), (("blue", "green", "red"), ("cool", "warm")))


@pytest.fixture(scope="module")
def files(pictures):
    return sorted((pictures / "test").rglob("*.jpg"))


@pytest.mark.slow
def test_the_run_has_what_scikit_learn_computes_of_each_task(finished_tasks):
    result, lines = finished_tasks
    found = evaluate(result.run)
    assert found.tasks == TASKS
    metrics = result.metrics["test"]
    accuracies = []
    for place, task in enumerate(TASKS.names):
        known = found.true[:, place] >= 0
        true, predicted = found.true[known, place], found.predicted[known, place]
        expected = sklearn.metrics.accuracy_score(true, predicted)
        f1 = sklearn.metrics.f1_score(true, predicted, average="macro")
        accuracies.append(expected)
        assert known.sum() == 11
        assert metrics["tasks"][task]["accuracy"] == pytest.approx(expected)
        assert metrics["tasks"][task]["macro_f1"] == pytest.approx(f1)
    assert metrics["accuracy"] == pytest.approx(np.mean(accuracies))
    assert json.loads((result.run / "tasks.json").read_text()) == TASKS.as_json()
    assert result.metrics["tasks"] == TASKS.as_json()
    recorded = json.loads((result.run / "evaluation.json").read_text())
    assert recorded["tasks"]["color"]["confusion"] == found.of_task["color"].confusion.tolist()
    text = "\n".join(lines)
    assert "color (3 classes), warmth (2 classes)" in text
    assert "test mean accuracy" in text
    assert "  warmth: accuracy" in text


@pytest.mark.slow
def test_the_export_the_file_and_the_run_give_the_same(finished_tasks, files, tmp_path):
    result, _ = finished_tasks
    trained, served = load(result.run), load(result.export)
    expected = trained.predict(files)
    assert served.tasks == trained.tasks == TASKS
    assert served.predict(files) == pytest.approx(expected, abs=1e-5)
    answer = tf.saved_model.load(str(result.export)).signatures["serving_default"](
        image_bytes=tf.constant([file.read_bytes() for file in files])
    )
    kinds = ("probabilities", "class_id", "label")
    assert set(answer) == {
        "probabilities",
        *(f"{task}_{kind}" for task in TASKS.names for kind in kinds),
    }
    for place, (task, columns) in enumerate(TASKS.columns.items()):
        shares = answer[f"{task}_probabilities"].numpy()
        assert shares == pytest.approx(expected[:, columns], abs=1e-5)
        assert shares.sum(axis=1) == pytest.approx(1, abs=1e-5)
        classes = trained.decisions(expected)[:, place]
        np.testing.assert_array_equal(answer[f"{task}_class_id"].numpy(), classes)
        names = [TASKS.classes[place][one].encode() for one in classes]
        assert answer[f"{task}_label"].numpy().tolist() == names
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
def test_an_export_that_names_other_classes_is_refused(finished_tasks, files):
    result, _ = finished_tasks
    trained, encoded = load(result.run), [file.read_bytes() for file in files[:3]]
    other = Tasks(TASKS.names, (("blau", "grün", "rot"), TASKS.classes[1]))
    with pytest.raises(ExportError, match="task color, the names of the classes"):
        outputs = Outputs(other.output_names, tasks=other)
        check_export(result.export, trained.model, encoded, outputs)


@pytest.mark.slow
def test_predictions_have_the_class_of_each_task(finished_tasks, files, tmp_path):
    result, _ = finished_tasks
    trained = load(result.run)
    expected = trained.predict(files)
    (tmp_path / "none.jpg").write_bytes(b"none")
    found = list(predict(result.run, [*files, tmp_path / "none.jpg"]))
    for prediction, row in zip(found, expected):
        names = TASKS.names_of(row)
        assert {task: name for task, (name, _) in prediction.of_tasks.items()} == names
        assert prediction.of_tasks["color"][1] == pytest.approx(row[:3].max())
    assert found[-1].error
    with pytest.raises(UsageError, match="color, warmth.*Leave --top out"):
        next(predict(result.run, files, top=2))
    table = CliRunner().invoke(main, ["predict", str(result.run), str(files[0])])
    first = found[0].of_tasks
    assert f"color {first['color'][0]} " in table.stdout
    assert f"warmth {first['warmth'][0]} " in table.stdout
    arguments = ["predict", str(result.run), str(files[0]), "--format", "jsonl"]
    lines = CliRunner().invoke(main, arguments)
    (told,) = map(json.loads, lines.stdout.splitlines())
    assert {task: one["label"] for task, one in told["tasks"].items()} == {
        task: name for task, (name, _) in first.items()
    }
    output = tmp_path / "out.csv"
    arguments = ["predict", str(result.run), *map(str, [*files, tmp_path / "none.jpg"])]
    CliRunner().invoke(main, [*arguments, "--format", "csv", "--output", str(output)])
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("path", "color", "color_probability", "warmth", "warmth_probability", "error")
    ]
    assert [row["warmth"] for row in rows[:-1]] == [one.of_tasks["warmth"][0] for one in found[:-1]]
    assert rows[-1]["error"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "litert", "onnx"])
def test_files_for_other_runtimes_agree(finished_tasks, tmp_path, kind):
    for package in {"litert": ["ai_edge_litert"], "onnx": ["onnxruntime", "tf2onnx"]}.get(kind, []):
        pytest.importorskip(package)
    result, _ = finished_tasks
    suffix = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx"}[kind]
    converted = convert(result.run, kind, output=tmp_path / f"model{suffix}")
    assert converted.agreement == 1
    assert converted.accuracy == converted.model_accuracy
    assert json.loads((tmp_path / "tasks.json").read_text()) == TASKS.as_json()
    if kind == "keras":
        assert load(converted.path).tasks == TASKS
        (tmp_path / "tasks.json").write_text('{"color": ["blue"]}')
        with pytest.raises(UsageError, match=r"tasks.json' has other tasks"):
            load(converted.path)
        (tmp_path / "tasks.json").write_text("[]")
        with pytest.raises(UsageError, match=r"tasks.json' is not a JSON object"):
            load(converted.path)


@pytest.mark.slow
def test_a_calibrated_export_needs_an_accuracy(finished_tasks, files, tmp_path):
    result, _ = finished_tasks
    trained = load(result.run)
    version = export(result.run, export_dir=str(tmp_path), calibrate=True)
    served = load(version)
    expected = trained.decisions(trained.predict(files))
    np.testing.assert_array_equal(served.decisions(served.predict(files)), expected)
    if result.metrics["test"]["accuracy"] < 1:
        with pytest.raises(ExportError, match="below the required 1 "):
            export(result.run, export_dir=str(tmp_path), min_accuracy=1.0)


@pytest.mark.slow
def test_labels_of_other_data_are_matched_by_name(finished_tasks, files, tmp_path, pictures):
    result, _ = finished_tasks
    rows = [f"{file},{file.parent.name},,test" for file in files if file.parent.name != "red"]
    data = tmp_path / "other.csv"
    data.write_text("\n".join(["path,color,warmth,split", *rows, ""]))
    found = evaluate(result.run, data=str(data))
    # Nothing is known of a task, and no image has one of the classes of the other.
    assert list(found.of_task) == ["color"]
    assert np.isnan(found.labels[:, 3:]).all()
    assert found.labels[:, 2].tolist() == [0] * len(rows)
    with pytest.raises(DataError, match="one class.*model.*the tasks color, warmth"):
        evaluate(result.run, data=str(pictures))


@pytest.mark.slow
def test_the_report_is_written_again_and_runs_are_not_compared(finished_tasks, tmp_path):
    result, _ = finished_tasks
    path = report(result.run, output=tmp_path / "again.html", say=lambda _: None)
    text = path.read_text()
    assert "Confusion matrix of color" in text
    assert "Task warmth" in text
    with pytest.raises(UsageError, match="multi-task.*tfxfer report "):
        report(result.run, result.run, output=tmp_path / "both.html")
    with (result.run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert sum(not row["color"] for row in rows) == 1
    assert "warmth: cool, warm" in (result.run / "README.md").read_text()


def test_what_needs_one_class_is_refused_by_name(tasked, pictures):
    with pytest.raises(UsageError, match="--backbone.*multi-task"):
        check(str(tasked), backbone="resnet10_small", tasks="color,warmth")
    with pytest.raises(UsageError, match="learning curve.*multi-task"):
        settings = {"tasks": "color,warmth", "learning_curve": True}
        rank("resnet10_small", data=str(tasked), say=lambda _: None, **settings)
    with pytest.raises(UsageError, match="Setting 'tasks' is for multi-label data.*one class"):
        check(str(pictures), tasks="color,warmth")


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["uncertainty", "2,1"])
def test_gradient_steps_and_mixing_give_the_same_bits_twice(
    tasked, weights_file, tmp_path, weights
):
    outcomes = []
    for name in ("one", "two"):
        config = small_config(
            tasked,
            weights_file,
            tmp_path / name,
            tasks="color,warmth",
            task_weights=weights,
            label_smoothing=0.1,
            calibrate=True,
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


@pytest.mark.slow
def test_check_tells_of_tasks(tasked):
    result = check(str(tasked), tasks="color,warmth")
    assert result.counts["train"].tolist() == [6, 7, 7, 13, 7]
    kinds = {one.kind: one for one in result.findings}
    assert kinds["missing labels"].affected.named == (("color: 3",), ("warmth: 3",))
    assert kinds["tasks that follow"].affected.named == (("warmth by color",),)
    assert not result.blocks


@pytest.mark.slow
def test_digits_that_are_also_even(tmp_path):
    split = open_digits().splits["train"]
    lines = ["path,digit,parity,source"]
    for number, label in enumerate(split.labels):
        lines.append(f"{split.describe(number)},{label},{'odd' if label % 2 else 'even'},digits")
    data = tmp_path / "digits.csv"
    data.write_text("\n".join([*lines, ""]))
    result = fit(
        data=str(data),
        tasks="digit,parity",
        backbone="resnet10_small",
        effort="quick",
        finetune={"epochs": 0},
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "saved_models"),
        say=lambda _: None,
    )
    assert result.metrics["test"]["tasks"]["digit"]["accuracy"] > 0.93
    assert result.metrics["test"]["tasks"]["parity"]["accuracy"] > 0.9
