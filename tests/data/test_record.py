"""What a run says of its data, and that an evaluation goes by it."""

import csv
import re
import shutil

import pytest
from conftest import small_config

from tfxfer.api.evaluate import evaluate
from tfxfer.data.image.screening import open_images
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.data.record import describe_skipped, record_data
from tfxfer.errors import DataError
from tfxfer.system.run_layout import RunDirectory


@pytest.fixture
def corrupt(pictures, tmp_path):
    """A copy of the pictures of which two cannot be read."""
    folder = shutil.copytree(pictures, tmp_path / "data")
    (folder / "train" / "red" / "3.jpg").write_bytes(b"no image")
    (folder / "test" / "blue" / "0.jpg").write_bytes(b"")
    return folder


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_used_and_what_is_not_are_written_down(corrupt, tmp_path):
    config = small_config(corrupt, "none", tmp_path, bad_images="skip", input_size=32)
    source = open_source(config)
    images, skipped = open_images(source.splits, config)
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    record_data(run, source, images, skipped)
    assert {name: len(one) for name, one in images.items()} == {
        "train": 20,
        "validation": 9,
        "test": 11,
    }
    assert rows(run.skipped) == [
        {
            "path": str(corrupt / "train" / "red" / "3.jpg"),
            "label": "red",
            "split": "train",
            "reason": "it is not a JPEG, PNG, BMP, GIF, WebP, TIFF or NPY file",
        },
        {
            "path": str(corrupt / "test" / "blue" / "0.jpg"),
            "label": "blue",
            "split": "test",
            "reason": "it is empty",
        },
    ]
    (told,) = describe_skipped(run, skipped)
    assert re.search(f"\\b2 unreadable images.*{re.escape(str(run.skipped))}$", told)
    again = open_as_it_is(str(run.splits))
    for name, one in images.items():
        assert (again.splits[name].digests() == one.split.digests()).all()


def test_without_skipped_images_there_is_no_note(pictures, tmp_path):
    config = small_config(pictures, "none", tmp_path, input_size=32)
    source = open_source(config)
    images, skipped = open_images(source.splits, config)
    run = RunDirectory(tmp_path)
    record_data(run, source, images, skipped)
    assert not run.skipped.exists()
    assert describe_skipped(run, skipped) == []
    assert len(rows(run.splits)) == 21 + 9 + 12


def test_an_evaluation_sees_the_splits_of_the_run_whatever_was_added_since(finished, tmp_path):
    result, _ = finished
    run = shutil.copytree(result.run, tmp_path / "run")
    used = rows(run / "splits.csv")
    data = tmp_path / "moved"
    for number, row in enumerate(used):
        path = data / row["split"] / row["label"] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(row["path"], path)
        row["path"] = str(path)
    with (run / "splits.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, used[0])
        table.writeheader()
        table.writerows(used)
    shutil.copy(used[0]["path"], data / "test" / "red" / "new.jpg")
    evaluation = evaluate(run)
    assert evaluation.num_examples == 12
    assert evaluation.data == result.metrics["data"]["name"]
    (tested,) = [row for row in used if row["split"] == "test"][:1]
    (data / "test" / tested["label"] / tested["path"].rpartition("/")[2]).unlink()
    with pytest.raises(DataError, match="Cannot read 1 image[^s]"):
        evaluate(run)
