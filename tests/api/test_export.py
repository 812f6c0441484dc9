import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import small_config
from PIL import Image

from tfxfer.api.convert import convert
from tfxfer.api.evaluate import evaluate
from tfxfer.api.export import export
from tfxfer.api.fit import fit
from tfxfer.api.predict import predict
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.errors import DataError, ExportError, RunError, UsageError
from tfxfer.evaluation.calibration import apply_temperature
from tfxfer.exporting.litert import read_litert
from tfxfer.exporting.onnx import read_onnx
from tfxfer.exporting.publishing import check_accuracy, export_saved_model
from tfxfer.inference.loading import load
from tfxfer.models.layers import leaf_layers
from tfxfer.models.objectives import softmax
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.runs.scores.summary import Summary
from tfxfer.system.run_layout import RunDirectory


@pytest.fixture(scope="module")
def files(pictures):
    return [path.read_bytes() for path in sorted((pictures / "test").rglob("*.jpg"))]


def whole_versions(directory):
    """Returns the names in a directory of versions, each of which must be a whole one."""
    paths = sorted(directory.iterdir()) if directory.is_dir() else []
    for path in paths:
        assert path.name.isdigit()
        assert (path / "saved_model.pb").is_file()
        assert (path / "assets.extra" / "request.json").is_file()
        assert set(tf.saved_model.load(str(path)).signatures) == {
            "serving_default",
            "pixels",
            "features",
        }
    return [path.name for path in paths]


@pytest.mark.slow
def test_all_versions_but_the_newest_few_are_removed(finished, tmp_path):
    result, _ = finished
    for number in range(1, 4):
        shutil.copytree(result.export, tmp_path / "colors" / str(number))
    export(result.run, export_dir=str(tmp_path), keep=2)
    assert whole_versions(tmp_path / "colors") == ["3", "4"]


@pytest.mark.slow
def test_a_file_is_exported_under_a_name_with_images_of_other_data(finished, pictures, tmp_path):
    result, _ = finished
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("model.keras", "classes.txt"):
        shutil.copy(result.run / name, folder)
    with pytest.raises(UsageError, match=r"data.*trained on.*--data"):
        export(folder / "model.keras", export_dir=str(tmp_path))
    version = export(
        folder / "model.keras", export_dir=str(tmp_path), data=str(pictures), min_accuracy=0.5
    )
    assert version == tmp_path / "mine" / "1"
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    assert facts["test"]["accuracy"] >= 0.5
    assert "backbone" not in facts


def gray_unit():
    """Returns a model of gray images with one unit that is a logit, as its class does not say."""
    return keras.Sequential(
        [
            *[keras.Input((16, 16, 1)), keras.layers.Rescaling(1 / 255)],
            *[keras.layers.Flatten(), keras.layers.Dense(1)],
        ]
    )


def augmented_logits():
    """Returns a model with augmentation inside, of half precision, that gives logits in a dict."""
    image = keras.Input((16, 16, 3))
    x = keras.layers.RandomRotation(0.4)(keras.layers.RandomFlip()(image))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(x))
    return keras.Model({"image": image}, {"y": keras.layers.Dense(2, dtype="mixed_float16")(x)})


def probabilities_by_hand(model, squares):
    """Returns what the dense layer of one of the two models above says of images."""
    if model.inputs[0].shape[-1] == 1:
        squares = np.stack([np.array(Image.fromarray(square).convert("L")) for square in squares])
    kernel, bias = (np.asarray(weight, np.float64) for weight in model.get_weights())
    logits = squares.reshape(len(squares), -1) / 255 @ kernel + bias
    return softmax(logits if logits.shape[1] == 2 else np.concatenate([0 * logits, logits], axis=1))


@pytest.mark.filterwarnings("ignore:.*(dict, all keys|HDF5)")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "name"),
    [(gray_unit, "model.keras"), (augmented_logits, "model.keras"), (gray_unit, "model.h5")],
)
def test_a_model_of_others_answers_the_same_in_whatever_it_becomes(
    make, name, pictures, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for split in ("train", "validation", "test"):
        for color in ("blue", "red"):
            shutil.copytree(pictures / split / color, tmp_path / "data" / split / color)
    model = make()
    model.save(tmp_path / name)
    (tmp_path / "classes.txt").write_text("blue\nred\n")
    content = (tmp_path / name).read_bytes()
    paths = sorted((tmp_path / "data" / "test").rglob("*.jpg"))
    squares = np.stack([decode_and_resize(path.read_bytes(), 16).numpy() for path in paths])
    expected = probabilities_by_hand(model, squares)

    evaluated = evaluate(name, data="data")
    assert evaluated.probabilities == pytest.approx(expected, abs=1e-5)
    for one, row in zip(predict(name, ["data/test"], top=2), expected, strict=True):
        assert dict(one.ranked) == pytest.approx(
            dict(zip(("blue", "red"), row, strict=True)), abs=1e-5
        )
    version = export(name, name="others", data="data")
    assert evaluate(version, data="data").probabilities == pytest.approx(expected, abs=1e-5)
    for kind, suffix in (("litert", "tflite"), ("onnx", "onnx"), ("keras", "keras")):
        made = convert(name, kind, data="data", output=f"copy.{suffix}")
        assert made.difference < 1e-5
        assert made.accuracy == evaluated.accuracy
    assert load("copy.keras").predict(squares) == pytest.approx(expected, abs=1e-5)
    assert (tmp_path / name).read_bytes() == content
    if name == "model.keras":
        assert (tmp_path / "copy.keras").read_bytes() == content


@pytest.mark.slow
def test_a_model_that_cannot_be_exported_leaves_nothing(pictures, tmp_path):
    image = keras.Input((8, 8, 3))
    x = keras.layers.Dense(3, "softmax", bias_initializer=keras.initializers.Constant(np.nan))(
        keras.layers.Flatten()(image)
    )
    folder = tmp_path / "mine"
    folder.mkdir()
    keras.Model(image, x).save(folder / "model.keras")
    (folder / "classes.txt").write_text("blue\ngreen\nred\n")
    with pytest.raises(ExportError, match="sums to nan"):
        export(folder / "model.keras", export_dir=str(tmp_path / "exports"), data=str(pictures))
    for kind, suffix in (("litert", "tflite"), ("keras", "keras")):
        with pytest.raises(RunError, match="model.keras' gives NaN"):
            convert(
                folder / "model.keras",
                kind,
                output=folder / f"copy.{suffix}",
                data=str(pictures),
            )
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "classes.txt",
        "mine",
        "model.keras",
    ]


def test_class_names_of_another_model_are_not_written_over(finished, tmp_path):
    result, _ = finished
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(UsageError, match=r"classes.txt'.* another model.*--output"):
        convert(result.run, "litert", output=tmp_path / "model.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["classes.txt"]
    assert (tmp_path / "classes.txt").read_text() == "cat\ndog\n"


def test_a_model_that_is_not_accurate_enough_is_not_published(finished, tmp_path):
    result, _ = finished
    with pytest.raises(ExportError, match=r"accuracy of '.*' on test is .* 1 "):
        check_accuracy(FitMetrics({"test": Summary(accuracy=0.9)}), 1.0, result.model)
    check_accuracy(FitMetrics({"validation": Summary(accuracy=0.9)}), 0.9, result.model)
    metrics = RunDirectory(tmp_path / "run").metrics
    shutil.copytree(result.run, tmp_path / "run")
    metrics.write_text(json.dumps({"test": {"accuracy": 0.5, "loss": 1.0}}))
    with pytest.raises(ExportError, match=r"0.5000.* 0.6 .*--min-accuracy"):
        export(tmp_path / "run", export_dir=str(tmp_path / "exports"), min_accuracy=0.6)
    assert not (tmp_path / "exports").exists()


def test_a_model_is_not_evaluated_on_images_that_it_may_have_seen(finished, pictures, tmp_path):
    result, _ = finished
    for name in ("model.keras", "classes.txt"):
        shutil.copy(result.run / name, tmp_path)
    whole = str(pictures / "train")  # without splits of its own
    for model in (tmp_path / "model.keras", result.run):
        with pytest.raises(ExportError, match=r"Cannot check --min-accuracy.*'train'"):
            export(
                model, export_dir=str(tmp_path / "x"), data=whole, min_accuracy=0.1, say=[].append
            )
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_a_run_is_published_where_it_was_fitted_to_whatever_the_directory(
    finished, pictures, tmp_path, monkeypatch
):
    result, _ = finished
    run = shutil.copytree(result.run, tmp_path / "project" / "runs" / "colors")
    lines = (run / "config.toml").read_text().splitlines()
    places = {"runs_dir": "runs", "export_dir": "saved_models"}
    named = [line.split(" = ")[0] for line in lines]
    lines = [
        f'{name} = "{places[name]}"' if name in places else line
        for name, line in zip(named, lines, strict=True)
    ]
    (run / "config.toml").write_text("\n".join(lines) + "\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    # Of the test that is named a third was trained on.
    for split, name in (("train", "0"), ("test", "1"), ("test", "2")):
        for color in ("blue", "green", "red"):
            folder = tmp_path / "data" / "test" / color
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(pictures / split / color / f"{name}.jpg", folder / f"{name}.jpg")
    shutil.copytree(pictures / "validation", tmp_path / "data" / "validation")
    shutil.copytree(pictures / "train", tmp_path / "data" / "train")
    for color in ("blue", "green", "red"):
        (tmp_path / "data" / "train" / color / "0.jpg").unlink()
    said = []
    version = export(run, data=str(tmp_path / "data"), min_accuracy=0.01, say=said.append)
    assert version == tmp_path / "project" / "saved_models" / "colors" / "1"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    assert facts["test"]["num_examples"] == 6
    (note,) = [note for note in facts["test"]["notes"] if "left out of 'test': 3 images" in note]
    assert f"note: {note}" in said
    seen = load(version).seen
    assert {name: len(rows) for name, rows in seen.digests.items()} == {
        "train": 21,
        "validation": 9,
        "test": 12,
    }


def test_a_run_without_metrics_is_reported(finished, tmp_path):
    result, _ = finished
    shutil.copytree(result.run, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    with pytest.raises(UsageError, match=r"Cannot read .*'.*metrics.json'"):
        export(tmp_path / "run", export_dir=str(tmp_path / "exports"))


def test_an_export_that_differs_from_the_model_is_not_published(
    trained, files, tmp_path, monkeypatch
):
    # An export whose resize is not the one the model was evaluated with: nearest, not antialiased.
    monkeypatch.setattr(
        "tfxfer.exporting.serving.decoder.decode_and_resize",
        lambda encoded, frame, prefix: tf.cast(
            tf.image.resize(tf.io.decode_jpeg(encoded), frame.shape[:2], "nearest"), tf.uint8
        ),
    )
    with pytest.raises(ExportError, match=r"probabilities differ by up to "):
        export_saved_model(trained, tmp_path / "x", files, FitMetrics())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_named(trained, files, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match=r"Cannot write the export to '.*file/x'"):
        export_saved_model(trained, tmp_path / "file" / "x", files, FitMetrics())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_is_read_only_is_named(finished, tmp_path):
    result, _ = finished
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match=r"no permission .*'.*'.* --expo"):
        export(result.run, export_dir=str(tmp_path / "exports"))


# What a process does that exports a run; on a disk that takes no file of more than so many bytes.
EXPORT = """
import resource, sys
if int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
from tfxfer.errors import ExportError
from tfxfer.api.export import export
try:
    print(export(sys.argv[1], export_dir=sys.argv[2]))
except ExportError as error:
    print("Error:", error)
"""


def exporting(run, directory, max_bytes=0):
    """Returns a process that exports a run."""
    return subprocess.Popen(
        [sys.executable, "-c", EXPORT, str(run), str(directory), str(max_bytes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.slow
def test_a_full_disk_publishes_nothing_and_leaves_nothing(finished, tmp_path):
    result, _ = finished
    with exporting(result.run, tmp_path, max_bytes=200_000) as process:
        said = process.stdout.read()
    assert said.startswith(f"Error: Cannot write the export to '{tmp_path}/colors'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_exports_at_once_get_two_numbers(finished, tmp_path):
    result, _ = finished
    with exporting(result.run, tmp_path) as first, exporting(result.run, tmp_path) as second:
        said = {process.stdout.read().strip() for process in (first, second)}
    assert said == {f"{tmp_path}/colors/1", f"{tmp_path}/colors/2"}
    assert whole_versions(tmp_path / "colors") == ["1", "2"]


@pytest.mark.slow
def test_an_export_killed_at_any_moment_leaves_whole_versions_only(finished, tmp_path):
    result, _ = finished
    shutil.copytree(result.export.parent, tmp_path / "colors")
    # Each is killed as soon as a file is there that is written later than the one before.
    for number, pattern in enumerate(
        ("*", "*/variables/*", "*/saved_model.pb", "*/assets.extra/request.json")
    ):
        left = set(tmp_path.glob(".unfinished-*"))
        with exporting(result.run, tmp_path) as process:
            while process.poll() is None:
                new = set(tmp_path.glob(".unfinished-*")) - left
                if any(
                    list(path.parent.glob(f"{path.name}/{pattern[2:]}"))
                    if len(pattern) > 1
                    else [path]
                    for path in new
                ):
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.005)
        assert process.returncode == -signal.SIGKILL, number
        assert whole_versions(tmp_path / "colors") == ["1"]
    assert len(list(tmp_path.glob(".unfinished-*"))) == 4
    for path in tmp_path.glob(".unfinished-*"):
        os.utime(path, (0, 0))  # as if it were left long ago
    export(result.run, export_dir=str(tmp_path))
    assert whole_versions(tmp_path / "colors") == ["1", "2"]
    assert list(tmp_path.glob(".unfinished-*")) == []


@pytest.mark.slow
def test_a_server_that_polls_sees_whole_versions_only(finished, tmp_path):
    result, _ = finished
    seen, done = [], threading.Event()

    def poll():
        while not done.is_set():
            for path in (tmp_path / "colors").glob("*"):
                seen.append((path.name, (path / "assets.extra" / "request.json").is_file()))

    server = threading.Thread(target=poll)
    server.start()
    try:
        export(result.run, export_dir=str(tmp_path))
        export(result.run, export_dir=str(tmp_path), keep=1)
    finally:
        done.set()
        server.join()
    # A version that is being removed is gone as a whole, though between two looks.
    assert {name for name, _ in seen} == {"1", "2"}
    assert all(whole for name, whole in seen if name == "2")


@pytest.mark.parametrize(
    ("kind", "quantization", "name"),
    [
        ("litert", "none", "model.tflite"),
        ("litert", "float16", "model.float16.tflite"),
        ("onnx", "none", "model.onnx"),
    ],
)
def test_other_formats_lie_beside_the_model_and_answer_as_it_does(
    finished, trained, pictures, tmp_path, kind, quantization, name
):
    result, _ = finished
    shutil.copytree(result.run, tmp_path / "run")
    made = convert(tmp_path / "run", kind, quantization=quantization)
    assert made.path == tmp_path / "run" / name
    assert (made.split, made.num_images) == ("test", 12)
    assert made.model_accuracy == result.metrics["test"]["accuracy"]
    read = read_onnx if kind == "onnx" else read_litert
    paths = sorted((pictures / "test").rglob("*.jpg"))
    images = np.stack([decode_and_resize(path.read_bytes(), 32).numpy() for path in paths])
    found, expected = read(made.path)(images), trained.predict(paths)
    assert made.difference == pytest.approx(np.abs(found - expected).max(), abs=1e-6)
    assert made.difference <= (1e-4 if quantization == "none" else 0.1)
    assert made.agreement == np.mean(found.argmax(axis=1) == expected.argmax(axis=1))


@pytest.mark.slow
def test_other_data_are_matched_by_class_names(finished, pictures, tmp_path):
    result, _ = finished
    for split in ("train", "validation", "test"):
        for name in ("green", "red"):  # the first and second here, the model's second and third
            shutil.copytree(pictures / split / name, tmp_path / "data" / split / name)
    made = convert(result.run, "keras", output=tmp_path / "a.keras", data=str(tmp_path / "data"))
    expected = evaluate(result.run, data=str(tmp_path / "data"))
    assert (made.model_accuracy, made.num_images) == (expected.accuracy, 8)
    (tmp_path / "data" / "test" / "red").rename(tmp_path / "data" / "test" / "pink")
    (tmp_path / "data" / "train" / "red").rename(tmp_path / "data" / "train" / "pink")
    (tmp_path / "data" / "validation" / "red").rename(tmp_path / "data" / "validation" / "pink")
    with pytest.raises(DataError, match=r"not know: pink"):
        convert(result.run, "keras", output=tmp_path / "b.keras", data=str(tmp_path / "data"))


def test_a_copy_is_a_classifier_of_its_own(finished, trained, pictures, tmp_path):
    result, _ = finished
    made = convert(result.run, "keras", output=tmp_path / "copy.keras")
    assert (made.difference, made.agreement) == (0.0, 1.0)
    path = next((pictures / "test").rglob("*.jpg"))
    assert np.array_equal(load(made.path).predict(path), trained.predict(path))
    assert load(made.path).class_names == trained.class_names
    assert load(made.path).seen.fingerprint == trained.seen.fingerprint


def test_a_file_that_answers_otherwise_is_not_written(finished, tmp_path):
    result, _ = finished
    shutil.copytree(result.run, tmp_path / "run")
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    dense = [layer for layer in leaf_layers(model) if isinstance(layer, keras.layers.Dense)][-1]
    kernel, bias = dense.get_weights()
    dense.set_weights([kernel, bias + 10_000])  # beside which 256 steps do not tell logits apart
    model.save(tmp_path / "run" / "model.keras")
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match=r"int8 .* 33\.3% of 12 test images .* at least 90%"):
        convert(tmp_path / "run", "litert", quantization="int8", output=tmp_path / "out/x.tflite")
    assert list((tmp_path / "out").iterdir()) == []


def test_invalid_outputs_of_a_conversion_are_refused_before_any_work(finished, tmp_path):
    result, _ = finished
    with pytest.raises(UsageError, match=r"Format 'keras' .* --output"):
        convert(result.run, "keras")
    with pytest.raises(UsageError, match=r"a\.onnx'.*'\.tflite'.*'litert'"):
        convert(result.run, "litert", output=tmp_path / "a.onnx")
    with pytest.raises(UsageError, match=r"is the model itself"):
        convert(result.run, "keras", output=result.model)
    with pytest.raises(UsageError, match=r"Format 'onnx' .* quantization; only 'litert'"):
        convert(result.run, "onnx", quantization="int8")


def test_int8_needs_training_images(finished, pictures, tmp_path):
    result, _ = finished
    shutil.copytree(pictures / "test", tmp_path / "data" / "test")
    with pytest.raises(UsageError, match="'int8' .* training images, but 'data' has none"):
        convert(result.run, "litert", quantization="int8", data=str(tmp_path / "data"))
    assert not (result.run / "model.int8.tflite").exists()


@pytest.mark.slow
def test_the_keras_file_needs_nothing_of_ours(finished, trained, files, tmp_path):
    result, _ = finished
    images = np.stack([decode_and_resize(file, 32).numpy() for file in files])
    np.save(tmp_path / "images.npy", images.astype("float32"))
    code = (
        "import sys; sys.modules['tfxfer'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model(sys.argv[1], safe_mode=True)\n"
        "np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))\n"
    )
    paths = [str(result.model), str(tmp_path / "images.npy"), str(tmp_path / "found.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, cwd=tmp_path)
    expected = trained.model.predict(images.astype("float32"), verbose=0)
    assert np.load(tmp_path / "found.npy") == pytest.approx(expected, abs=1e-5)
    assert keras.models.load_model(result.model).layers[-1].name == "probabilities"


@pytest.mark.slow
def test_saved_model_cli_shows_and_runs_it(finished, files, trained, pictures, tmp_path):
    result, _ = finished
    np.save(tmp_path / "bytes.npy", np.array(files[:3]))
    common = [
        sys.executable,
        "-c",
        "from tensorflow.python.tools.saved_model_cli import main; main()",
    ]
    shown = subprocess.run(
        [*common, "show", "--dir", str(result.export), "--all"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (
        "inputs['image_bytes'] tensor_info:\n        dtype: DT_STRING\n        shape: (-1)" in shown
    )
    assert (
        "inputs['pixels'] tensor_info:\n        dtype: DT_UINT8\n        shape: (-1, -1, -1, 3)"
        in shown
    )
    assert (
        "outputs['probabilities'] tensor_info:\n        dtype: DT_FLOAT\n        shape: (-1, 3)"
        in shown
    )
    subprocess.run(
        [
            *common,
            "run",
            *("--dir", str(result.export), "--tag_set", "serve"),
            *("--signature_def", "serving_default"),
            *("--inputs", f"image_bytes={tmp_path}/bytes.npy"),
            *("--outdir", str(tmp_path)),
        ],
        capture_output=True,
        check=True,
    )
    paths = sorted((pictures / "test").rglob("*.jpg"))[:3]
    found = np.load(tmp_path / "probabilities.npy")
    assert found == pytest.approx(trained.predict(paths), abs=1e-5)


@pytest.mark.slow
def test_a_run_is_published_at_the_temperature_that_suits_validation(pictures, tmp_path):
    # From random weights it is not right about all of validation.
    config = small_config(pictures, "none", tmp_path / "fit", finetune={"epochs": 2})
    result = fit(config, say=lambda _: None)
    version = export(result.run, export_dir=str(tmp_path), calibrate=True)
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    temperature = result.metrics["calibration"]["temperature"]
    assert facts["calibration"]["temperature"] == pytest.approx(temperature, rel=1e-3)
    served, run = evaluate(version, data=str(pictures)), evaluate(result.run)
    found = facts["calibration"]["temperature"]
    assert served.probabilities == pytest.approx(
        apply_temperature(run.probabilities, found), abs=1e-5
    )
    assert facts["test"]["loss"] == pytest.approx(served.loss, abs=1e-5)
    with pytest.raises(UsageError, match="already an export.* run.*'.keras'"):
        export(version)


def test_an_output_that_cannot_be_written_is_refused_before_any_work(finished, tmp_path):
    result, _ = finished
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "folder.tflite").mkdir()
    for name, reason in {
        "none/a.tflite": "there is no directory",
        "folder.tflite": "it is a directory",
        "other/a.tflite": "has the classes of another model",
    }.items():
        with pytest.raises(UsageError, match=reason):
            convert(result.run, "litert", output=tmp_path / name, data="not looked at")
    assert (tmp_path / "other" / "classes.txt").read_text() == "cat\ndog\n"
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "colors").touch()
    with pytest.raises(UsageError, match="'.*exports/colors' is not a directory.*--export-dir"):
        export(result.run, export_dir=str(tmp_path / "exports"), data="not looked at")


@pytest.mark.slow
def test_a_name_by_default_is_made_safe(finished, tmp_path):
    result, _ = finished
    shutil.copytree(result.run, tmp_path / "my run {1}")
    version = export(tmp_path / "my run {1}", export_dir=str(tmp_path / "exports"))
    assert version == tmp_path / "exports" / "my-run-1" / "1"
