"""A run's own data, as far as they are still there."""

import json
import shutil

import pytest

from tfxfer.errors import DataError
from tfxfer.inference.own_data import open_own_data, seen_by_older_export, seen_by_older_run
from tfxfer.system.run_layout import RunDirectory


def test_the_data_of_a_run_are_in_its_splits_under_their_name(finished, trained):
    result, _ = finished
    source = open_own_data(RunDirectory(result.run), None, lambda: trained.seen)
    assert source.name == result.metrics["data"]["name"]
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 21,
        "validation": 9,
        "test": 12,
    }


def test_data_that_are_not_there_any_more_are_named(finished, tmp_path):
    result, _ = finished
    run = shutil.copytree(result.run, tmp_path / "run")
    splits = (run / "splits.csv").read_text()
    folder = splits.splitlines()[1].split(",")[0].rpartition("/")[0]
    root = folder.rpartition("/")[0].rpartition("/")[0]
    (run / "splits.csv").write_text(splits.replace(root, f"{root}/gone"))
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace(root, f"{root}/gone"))
    (run / "places.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match="The data of the run .*with --data"):
        open_own_data(RunDirectory(run), None, lambda: None)


def test_a_run_without_a_record_of_what_it_has_seen_is_asked_its_files(finished, trained):
    result, _ = finished
    seen = seen_by_older_run(RunDirectory(result.run), trained.config)
    assert seen.fingerprint == trained.seen.fingerprint
    assert {name: len(rows) for name, rows in seen.digests.items()} == {
        name: len(rows) for name, rows in trained.seen.digests.items()
    }


def test_an_export_without_a_record_knows_its_own_data_alone(finished, tmp_path):
    result, _ = finished
    seen = seen_by_older_export(result.export)
    assert seen.fingerprint == result.metrics["data"]["fingerprint"]
    assert not seen.digests
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "tfxfer.json").write_text(json.dumps({"data": None}))
    assert seen_by_older_export(tmp_path) is None
