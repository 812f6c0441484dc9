"""A check of data, from the folder to what the command prints."""

import json
import os
import re
import shutil

import pytest
from click.testing import CliRunner
from conftest import SMALL_BACKBONE, scene_file, write_cats_and_dogs

from tfxfer.api.check import check
from tfxfer.cli.app import main
from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_source
from tfxfer.errors import UsageError
from tfxfer.system.tables import text_width


@pytest.fixture
def folder(tmp_path):
    """Cats and dogs without fault: 4 of each to train on, 2 to validate, 2 to test."""
    return write_cats_and_dogs(tmp_path)


def test_of_sound_data_there_is_nothing_to_say(folder):
    result = check(str(folder))
    assert result.findings == ()
    assert not result.blocks
    assert {name: counts.tolist() for name, counts in result.counts.items()} == {
        "train": [4, 4],
        "validation": [2, 2],
        "test": [2, 2],
    }
    table = result.describe().splitlines()
    assert table[1].split() == ["cat", "4", "2", "2"]
    assert table[3].split() == ["all", "classes", "8", "4", "4"]
    assert "ERROR" not in result.describe()


def test_data_that_are_not_there_are_an_error():
    with pytest.raises(UsageError, match="no directory '/no/such/folder'"):
        check("/no/such/folder")


def run(*arguments):
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


@pytest.mark.slow
def test_the_command_prints_a_table_and_exits_with_1_where_a_fit_would_stop(folder):
    for split in folder.iterdir():  # the table lines up whatever the names are written in
        (split / "cat").rename(split / "ねこ 猫")
        (split / "dog").rename(split / "perro\u0301")
    done = run(folder)
    assert done.exit_code == 0
    assert "ERROR" not in done.output
    assert len({text_width(line) for line in done.output.splitlines()[:4]}) == 1
    (folder / "train" / "ねこ 猫" / "0.jpg").write_bytes(b"")
    done = run(folder)
    assert done.exit_code == 1
    assert re.search(r"ERROR +1 .*\n.*train/ねこ 猫/0\.jpg", done.output)
    assert run(folder, "--bad-images", "skip").exit_code == 0


@pytest.mark.slow
def test_the_command_writes_json_whatever_the_names_of_files(folder, tmp_path):
    for number in range(8):
        (folder / "train" / "cat" / f"bad{number}.jpg").write_bytes(b"no image")
    with open(os.fsencode(folder) + b"/train/cat/a\xe9.jpg", "wb") as file:  # no UTF-8
        file.write(b"no image")
    done = run(folder, "--json", tmp_path / "found.json")
    assert done.exit_code == 1
    assert "and 6 more" in done.output
    assert b"a\xe9.jpg: it is not a JPEG" in done.stdout_bytes
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["blocks"]
    assert written["splits"]["train"] == {"num_examples": 8, "classes": {"cat": 4, "dog": 4}}
    kinds = {finding["kind"]: finding for finding in written["findings"]}
    assert len(kinds["unreadable"]["examples"]) == 9
    assert kinds["unreadable"]["count"] == 9
    assert kinds["unreadable"]["sizes"] == [1] * 9
    assert json.loads(run(folder, "--json", "-").output) == written
    done = run(folder, "--json", tmp_path / "none" / "found.json")
    assert done.exit_code == 2
    assert "there is no directory" in done.output


@pytest.mark.slow
def test_with_a_backbone_it_lists_suspects_and_writes_a_manifest_that_fit_takes(
    pictures, tmp_path, weights_file
):
    shutil.copytree(pictures, tmp_path / "photos")
    moved = tmp_path / "photos" / "train" / "blue" / "moved.jpg"
    os.rename(tmp_path / "photos" / "train" / "red" / "3.jpg", moved)
    options = (
        *("--backbone", SMALL_BACKBONE, "--weights", weights_file, "--image-size", 32),
        *("--cache-dir", tmp_path / "cache"),
    )
    done = run(
        *(tmp_path / "photos", *options, "--json", tmp_path / "found.json"),
        *("--write-manifest", tmp_path / "photos.csv"),
    )
    assert done.exit_code == 0, done.output
    assert "1 label looks wrong (2.4%)" in done.output
    assert "arXiv:2103.14749" in done.output
    assert f"Wrote '{tmp_path / 'photos.csv'}'." in done.output
    (suspect,) = json.loads((tmp_path / "found.json").read_text())["suspect_labels"]
    assert suspect.pop("score") < 0.2
    assert suspect == {"path": str(moved), "given": "blue", "suggested": "red"}
    lines = (tmp_path / "photos.csv").read_text().splitlines()
    assert lines[0] == "path,label,split,suspect"
    assert len(lines) == 43
    assert [line for line in lines[1:] if not line.endswith(",")] == [f"{moved},blue,train,red"]
    # A person corrects the label.
    edited = [line.replace(f"{moved},blue", f"{moved},red") for line in lines]
    (tmp_path / "photos.csv").write_text("\n".join(edited))
    done = run(tmp_path / "photos.csv", *options)
    assert "No labels look wrong." in done.output
    source = open_source(FitConfig(data=str(tmp_path / "photos.csv")))
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 21,
        "validation": 9,
        "test": 12,
    }
    assert source.notes == ("ignored in 'photos.csv': 1 column: suspect",)


def test_without_readable_images_there_is_nothing_to_examine(tmp_path, weights_file):
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        cut = scene_file(number)[:-300]  # its size can be read, its pixels cannot
        (tmp_path / "photos" / name / "0.jpg").write_bytes(cut)
    settings = {"weights": str(weights_file), "image_size": 32}
    result = check(str(tmp_path / "photos"), backbone=SMALL_BACKBONE, **settings)
    assert result.blocks
    assert result.by_features is None


def test_settings_of_features_need_a_backbone(folder):
    done = run(folder, "--seed", 1)
    assert done.exit_code == 2
    assert "--seed needs --backbone" in done.output
