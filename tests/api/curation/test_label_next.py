"""`label_next`: choose, label, fit again."""

import csv
import json
import re

import pytest
from command_line import run
from conftest import small_config, trained_alone, write_pictures
from messages import parts

from tfxfer.api.curation.label_next import label_next
from tfxfer.errors import UsageError


@pytest.fixture
def inbox(tmp_path):
    return write_pictures(tmp_path / "inbox", 4, seed=9)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_manifest_that_was_filled_in_can_be_fitted(finished, inbox, tmp_path, weights_file):
    manifest, page = tmp_path / "next.csv", tmp_path / "next.html"
    settings = {"manifest": manifest, "with_labeled": True, "output": page}
    result = label_next(finished[0].run, inbox, count=6, **settings)
    assert page.read_text("utf-8").count("<img") == 6
    rows = rows_of(manifest)
    assert len(rows) == 6 + 42
    assert [row["path"] for row in rows[:6]] == [one.path for one in result.images]
    assert {row["label"] for row in rows[:6]} == {""}
    assert {row["predicted"] for row in rows[6:]} == {""}
    config = small_config(manifest, weights_file, tmp_path, head={"epochs": 1})
    config = config.with_settings({"finetune": {"epochs": 0}})
    with pytest.raises(UsageError, match="Line 2 of .* has an empty 'label'"):
        trained_alone(config)
    for row in rows[:6]:
        row["label"] = row["path"].split("/")[-2]
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    trained_alone(config)


def test_only_the_new_ones_are_written_unless_asked(finished, inbox, tmp_path):
    label_next(finished[0].run, [inbox / "red"], count=2, manifest=tmp_path / "next.csv")
    rows = rows_of(tmp_path / "next.csv")
    assert list(rows[0]) == ["path", "label", "split", "predicted", "probability"]
    assert [row["split"] for row in rows] == ["train", "train"]


@pytest.mark.slow
def test_models_that_cannot_say_are_refused(finished, finished_tags, inbox, tmp_path):
    with pytest.raises(UsageError, match="without its run"):
        label_next(finished[0].export, inbox)
    with pytest.raises(UsageError, match="multi-label"):
        label_next(finished_tags[0].run, inbox)
    with pytest.raises(UsageError, match="There is no file"):
        label_next(finished[0].run, tmp_path / "none")


def test_the_command_prints_and_writes(finished, inbox, tmp_path):
    page, found = tmp_path / "a.html", tmp_path / "a.json"
    asked = ["label-next", finished[0].run, inbox, "--count", 3, "--seed", 1]
    result = run(*asked, "--output", page, "--json", found)
    assert result.exit_code == 0
    assert result.stdout.startswith("3 of 12 images to label next")
    assert f"Wrote '{page}'." in result.stdout
    assert f"Wrote '{found}'." in result.stdout
    printed = run(*asked, "--json", "-")
    assert json.loads(printed.stdout) == json.loads(found.read_text())
    assert len(json.loads(printed.stdout)["next"]) == 3
    wrong = run(*asked, "--manifest", "a.txt")
    assert wrong.exit_code == 2
    assert re.search(parts("a.txt ... must end in .csv"), wrong.output)
