import csv
import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import COLORS, file_of, scene, small_config, trained_alone
from PIL import Image

from tfxfer.api.evaluate import evaluate
from tfxfer.cli.app import main
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.errors import DataError, UsageError
from tfxfer.evaluation.scoring import score
from tfxfer.inference.loading import load


@pytest.fixture(scope="module")
def evaluated(finished):
    """The finished run, evaluated on its own test split."""
    result, _ = finished
    return evaluate(result.run, batch_size=5)


def test_a_run_is_evaluated_on_its_own_test_split_as_fit_did(finished, evaluated):
    result, evaluation = finished[0], evaluated
    assert evaluation.split == "test"
    assert evaluation.num_examples == 12
    assert evaluation.accuracy == result.metrics["test"]["accuracy"]
    # The fit multiplied in another order: see `folding`.
    assert evaluation.loss == pytest.approx(result.metrics["test"]["loss"], abs=1e-5)


def test_all_splits_hold_every_image_once_and_say_how_many_were_trained_on(finished):
    result, _ = finished
    evaluation = evaluate(result.run, split="all")
    assert evaluation.num_examples == 21 + 9 + 12
    assert " 21 of these 42 images" in evaluation.describe()
    assert " 21 of these 42 images" in evaluation.as_json()["notes"][-1]


def test_a_file_is_evaluated_on_data_that_are_named(finished, pictures):
    result, _ = finished
    evaluation = evaluate(result.model, data=str(pictures), split="validation")
    assert evaluation.accuracy == result.metrics["validation"]["accuracy"]
    with pytest.raises(UsageError, match="where its training data .*--data"):
        evaluate(result.model)


def test_classes_are_matched_by_name_whatever_their_order(finished, pictures, tmp_path):
    result, _ = finished
    # Without "blue", "green" and "red" are the classes 0 and 1 of the data, 1 and 2 of the model.
    folder = shutil.copytree(pictures, tmp_path / "data")
    for split in ("train", "validation", "test"):
        shutil.rmtree(folder / split / "blue")
    evaluation = evaluate(result.run, data=str(folder), split="test")
    files = [(path, path.parent.name) for path in (folder / "test").rglob("*.jpg")]
    trained = load(result.run)
    images = np.stack([decode_and_resize(path.read_bytes(), 32) for path, _ in files])
    found = trained.model.predict(images.astype("float32"), verbose=0).argmax(axis=1)
    right = [trained.class_names[i] == name for i, (_, name) in zip(found, files, strict=True)]
    assert evaluation.accuracy == np.mean(right)
    assert not evaluation.imbalanced


def test_imbalanced_classes_are_reported_with_balanced_accuracy(finished, pictures, tmp_path):
    result, _ = finished
    folder = shutil.copytree(pictures, tmp_path / "data")
    # A picture of another color, so that one of the two is wrong whatever the model says.
    for name in ("0", "1", "2"):
        (folder / "test" / "blue" / f"{name}.jpg").unlink()
    shutil.copy(folder / "test" / "red" / "0.jpg", folder / "test" / "blue" / "0.jpg")
    evaluation = evaluate(result.run, data=str(folder), split="test")
    trained, shares = load(result.run), []
    for label, name in enumerate(trained.class_names):
        files = sorted((folder / "test" / name).glob("*.jpg"))
        shares.append(np.mean(trained.predict(files).argmax(axis=1) == label))
    assert evaluation.imbalanced
    assert evaluation.num_examples == 2 + 4 + 4
    assert evaluation.balanced_accuracy == pytest.approx(np.mean(shares))
    assert evaluation.balanced_accuracy != evaluation.accuracy


def test_a_class_that_the_model_does_not_know_is_named(finished, pictures, tmp_path):
    result, _ = finished
    folder = shutil.copytree(pictures / "train", tmp_path / "data")
    (folder / "red").rename(folder / "scarlet")
    with pytest.raises(DataError, match="scarlet.*blue, green, red"):
        evaluate(result.run, data=str(folder))


def test_a_split_that_is_not_there_is_named(finished, pictures, tmp_path):
    result, _ = finished
    folder = shutil.copytree(pictures, tmp_path / "data")
    shutil.rmtree(folder / "test")
    with pytest.raises(UsageError, match="no split 'test'.*train, validation"):
        evaluate(result.run, data=str(folder), split="test")
    assert evaluate(result.run, data=str(folder)).split == "validation"


@pytest.mark.slow
def test_a_run_its_file_and_its_export_have_the_same_numbers(finished, evaluated, pictures):
    result, run = finished[0], evaluated
    file = evaluate(result.model, data=str(pictures))
    served = evaluate(result.export, data=str(pictures), batch_size=7)
    newest = evaluate(result.export.parent, data=str(pictures))
    for other in (file, served, newest):
        assert other.probabilities == pytest.approx(run.probabilities, abs=1e-6)
        np.testing.assert_array_equal(other.confusion, run.confusion)
        assert other.accuracy == run.accuracy
        assert other.loss == pytest.approx(run.loss, abs=1e-6)
        assert other.calibration.error == pytest.approx(run.calibration.error, abs=1e-6)
    assert run.confusion.sum() == 12
    assert run.classes.support.tolist() == [4, 4, 4]


def test_everything_is_in_the_json_and_the_accuracy_in_its_interval(evaluated):
    evaluation = evaluated
    content = json.loads(json.dumps(evaluation.as_json()))
    assert content["accuracy"] == evaluation.accuracy
    assert content["top_5_accuracy"] is None  # of three classes
    assert [one["name"] for one in content["classes"]] == ["blue", "green", "red"]
    assert np.array(content["confusion"]).sum() == content["num_examples"] == 12
    assert sum(one["count"] for one in content["calibration"]["bins"]) == 12
    for name in ("accuracy", "balanced_accuracy", "loss", "macro_f1", "calibration_error"):
        low, high = content["intervals"][name]
        assert low <= high
    low, high = content["intervals"]["accuracy"]
    assert low <= content["accuracy"] <= high


@pytest.fixture(scope="module")
def coin(weights_file, tmp_path_factory):
    """A run on noise with labels by coin: testing on memorized images gives a warning."""
    directory = tmp_path_factory.mktemp("coin")
    generator = np.random.default_rng(0)
    for number in range(90):
        path = directory / "coin" / ("heads", "tails")[generator.integers(2)] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    head = {"epochs": 100, "penalty": 1e-6}
    config = small_config(directory / "coin", weights_file, directory, run="coin", seed=5)
    result = trained_alone(config, head=head, finetune={"epochs": 0})
    return result, directory / "coin"


@pytest.mark.slow
def test_a_model_has_one_accuracy_on_its_test_however_its_data_are_named(coin, tmp_path):
    result, data = coin
    run = result.plan.run
    trained = load(run.path)

    def scored(model, split, where=None):
        return score(model, model.open_source(None if where is None else str(where)), split)

    assert scored(trained, "train").accuracy > 0.9  # it knows them by heart
    expected = scored(trained, "test")
    assert (expected.num_examples, expected.notes) == (18, ())
    assert expected.accuracy == result.metrics.splits["test"].accuracy < 0.8
    renamed = shutil.copytree(data, tmp_path / "renamed")
    # A run of before there was a record knows its images by their files.
    older = shutil.copytree(run.path, tmp_path / "older")
    (older / "model.seen.npz").unlink()
    models = [trained, load(run.model), dataclasses.replace(trained, path=older / "model.keras")]
    for model, where in zip(models, (renamed, data, renamed), strict=True):
        found = scored(model, "test", where)
        assert (found.accuracy, found.num_examples) == (expected.accuracy, 18)


@pytest.mark.slow
def test_what_cannot_be_known_is_not_called_a_test(coin, tmp_path):
    result, data = coin
    for name in ("model.keras", "classes.txt"):
        shutil.copy(result.plan.run.path / name, tmp_path)
    told = CliRunner().invoke(
        main, ["evaluate", str(tmp_path / "model.keras"), "--data", str(data)]
    )
    assert told.output.startswith("coin all, 90 images\n  note: ")
    assert "trained on" in told.output
    with pytest.raises(UsageError, match=r"'coin'.* 'test'.*--split all"):
        evaluate(tmp_path / "model.keras", data=str(data), split="test")


@pytest.mark.slow
def test_an_export_knows_what_its_model_was_trained_on(finished, pictures, tmp_path):
    result, _ = finished
    for split, number in (("train", 0), ("validation", 1), ("test", 2)):
        for color in COLORS:
            (tmp_path / "test" / color).mkdir(parents=True, exist_ok=True)
            shutil.copy(
                pictures / split / color / "0.jpg", tmp_path / "test" / color / f"{number}.jpg"
            )
    for seed, color in enumerate(COLORS):  # images that nobody has seen, to train on
        (tmp_path / "train" / color).mkdir(parents=True)
        (tmp_path / "train" / color / "a.jpg").write_bytes(file_of(scene(seed), "JPEG"))
    for model in (result.run, result.export):
        evaluation = evaluate(model, data=str(tmp_path), split="test")
        assert evaluation.num_examples == 3
        told = evaluation.as_json()["notes"]
        trained_on, chosen_by = (
            [note for note in told if "'test'" in note and part in note]
            for part in ("3 images that the model was trained on", "best epoch")
        )
        assert trained_on
        assert chosen_by
        assert trained_on[0] in evaluation.describe()
        assert evaluate(model, data=str(tmp_path), split="all").num_examples == 12


@pytest.mark.slow
def test_a_project_that_was_moved_is_evaluated_as_before(coin, tmp_path, monkeypatch):
    result, data = coin
    project = tmp_path / "project"
    shutil.copytree(data, project / "photos")
    run = shutil.copytree(result.plan.run.path, project / "runs" / "coin")
    place_in(run, str(project / "photos"), relative="photos")
    moved = project.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    found = evaluate(moved / "runs" / "coin")
    assert (found.split, found.accuracy) == ("test", result.metrics.splits["test"].accuracy)
    gone = (moved / "photos").rename(tmp_path / "gone")
    with pytest.raises(DataError) as caught:
        evaluate(moved / "runs" / "coin")
    for part in (str(moved / "photos"), str(project / "photos"), "--data"):
        assert part in str(caught.value)
    assert evaluate(moved / "runs" / "coin", data=str(gone)).accuracy == found.accuracy


def place_in(run, data, relative):
    """Rewrites a run's files as if it had been fitted on data at another, relative place."""
    config = (run / "config.toml").read_text().splitlines()
    changed = {"data": relative, "runs_dir": "runs", "export_dir": "saved_models"}
    lines = [
        f'{line.split(" = ")[0]} = "{changed[line.split(" = ")[0]]}"'
        if line.split(" = ")[0] in changed
        else line
        for line in config
    ]
    (run / "config.toml").write_text("\n".join(lines) + "\n")
    folder = os.path.dirname(data)
    (run / "places.json").write_text(json.dumps({"working_directory": folder, "data": data}))
    with (run / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (run / "splits.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        for row in rows:
            table.writerow(row | {"path": os.path.join(data, *row["path"].split("/")[-2:])})
