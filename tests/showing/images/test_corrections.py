"""Corrected images, and the manifests that list them."""

import csv
import shlex
import shutil

import numpy as np
import pytest
from command_line import run as run_command
from conftest import file_of, scene, scene_file

from tfxfer.data.opening import open_as_it_is
from tfxfer.inference.loading import load
from tfxfer.showing.images.corrections import Corrections
from tfxfer.system.run_layout import RunDirectory


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run."""
    shutil.copytree(finished[0].run, tmp_path / "colors")
    return RunDirectory(tmp_path / "colors")


def opened(run):
    trained = load(run.path)
    return Corrections(run, trained.open_source(), trained.seen)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(path, split):
    source = open_as_it_is(str(path))
    images = source.splits[split]
    return {
        image.numpy(): source.class_names[label]
        for image, label in zip(images.open_images(), images.labels, strict=True)
    }


@pytest.mark.parametrize(
    ("kind", "extension"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WebP", ".webp"), ("TIFF", ".tif")]
)
def test_an_image_is_kept_as_it_was_uploaded(run, kind, extension):
    content = file_of(scene(1), kind)
    assert opened(run).keep(content, "red") == ""
    (row,) = rows(run.corrections)
    assert row["label"] == "red"
    assert row["path"].endswith(extension)
    assert (run.path / row["path"]).read_bytes() == content


def test_the_last_label_of_an_image_counts(run):
    corrections = opened(run)
    corrections.keep(scene_file(1), "red")
    corrections.keep(scene_file(2), "blue")
    corrections.keep(scene_file(1), "green")
    assert sorted(row["label"] for row in rows(run.corrections)) == ["blue", "green"]
    assert len(list(run.corrected.iterdir())) == 2
    assert len(opened(run).labels()) == 2  # of another process


def test_both_manifests_are_data_for_a_fit(run, pictures):
    corrections = opened(run)
    assert corrections.command() == ""
    corrections.keep(scene_file(1), "red")
    corrections.keep(scene_file(2), "blue")
    mine = {scene_file(1): "red", scene_file(2): "blue"}
    assert contents(run.corrections, "train") == mine
    for split in ("train", "validation", "test"):
        files = {path.read_bytes(): path.parent.name for path in (pictures / split).rglob("*.jpg")}
        expected = files | mine if split == "train" else files
        assert contents(run.with_corrections, split) == expected


def test_a_corrected_training_image_loses_its_old_label(run, pictures):
    path = pictures / "train" / "red" / "0.jpg"
    opened(run).keep(path.read_bytes(), "blue")
    found = contents(run.with_corrections, "train")
    assert found[path.read_bytes()] == "blue"
    assert len(open_as_it_is(str(run.with_corrections)).splits["train"]) == 21


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_image_that_measures_the_model_is_not_trained_on(run, pictures, split):
    content = (pictures / split / "red" / "0.jpg").read_bytes()
    assert f"in the {split} split" in opened(run).keep(content, "blue")


def test_weights_and_groups_of_the_data_are_kept(run, pictures, tmp_path):
    listed = tmp_path / "listed.csv"
    with listed.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "weight", "group"])
        for path in sorted(pictures.rglob("*.jpg")):
            split, label = path.parts[-3:-1]
            table.writerow([path, label, split, 2, f"{split} {path.stem}"])
    trained = load(run.path)
    Corrections(run, trained.open_source(str(listed)), trained.seen).keep(scene_file(1), "red")
    train = open_as_it_is(str(run.with_corrections)).splits["train"]
    np.testing.assert_array_equal(train.weights, [2] * 21 + [1])
    assert list(train.groups)[-1] == ""
    assert next(iter(train.groups)).startswith("train ")


def test_data_that_are_not_files_are_not_joined(run):
    corrections = Corrections(run, None, None)
    corrections.keep(scene_file(1), "red")
    assert corrections.command() == ""
    assert not run.with_corrections.exists()
    assert len(rows(run.corrections)) == 1


@pytest.mark.slow
def test_the_command_trains_on_the_data_and_the_corrections(run, tmp_path):
    corrections = opened(run)
    corrections.keep(scene_file(1), "red")
    words = shlex.split(corrections.command())
    assert words[:2] == ["tfxfer", "fit"]
    done = run_command(*words[1:], "--runs-dir", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    new = RunDirectory(tmp_path / "runs" / "colors-corrected-1")
    listed = {row["path"]: row for row in rows(new.splits)}
    assert len(listed) == 14 * 3 + 1
    (path,) = run.corrected.iterdir()
    assert (listed[str(path)]["label"], listed[str(path)]["split"]) == ("red", "train")
