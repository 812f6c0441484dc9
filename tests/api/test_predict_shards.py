"""Predictions of many files as a job: the rows of one run, whatever was interrupted."""

import importlib.util

import pytest

from tfxfer.api.predict import predict, predict_shards
from tfxfer.errors import UsageError
from tfxfer.inference.jobs.engines import Sharding
from tfxfer.inference.output import write_file

parquet = pytest.importorskip("pyarrow.parquet")


def rows(shards):
    return [
        row
        for number in range(shards.count)
        for row in parquet.read_table(shards.path(number)).to_pylist()
    ]


@pytest.fixture
def job(finished, pictures, tmp_path):
    """A run, its test images with a broken one among them, and what one file of all rows has."""
    run = finished[0].run
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    paths = [pictures / "test", tmp_path / "broken.jpg"]
    write_file(predict(run, paths, top=2), "parquet", 2, tmp_path / "whole.parquet")
    return run, paths, parquet.read_table(tmp_path / "whole.parquet").to_pylist()


def test_shards_have_the_rows_of_one_file_and_bad_files_a_reason(job, tmp_path):
    run, paths, expected = job
    shards = predict_shards(run, paths, tmp_path / "out", top=2, sharding=Sharding(size=7))
    found = rows(shards)
    assert [row["path"] for row in found] == [row["path"] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert list(row) == list(other)
        assert row["label"] == other["label"]
        assert row["probability"] == pytest.approx(other["probability"], abs=1e-6)
    assert "broken" in found[-1]["path"]
    assert found[-1]["error"] == expected[-1]["error"] != ""


def test_what_is_finished_stays_and_what_is_missing_is_computed(job, tmp_path):
    run, paths, _ = job
    sharding, said = Sharding(size=10), []
    shards = predict_shards(run, paths, tmp_path / "out", sharding=sharding)
    before = rows(shards)
    kept, lost = shards.path(0), shards.path(1)
    kept_at = kept.stat().st_mtime_ns
    lost.unlink()
    shards = predict_shards(run, paths, tmp_path / "out", sharding=sharding, say=said.append)
    assert rows(shards) == before
    assert kept.stat().st_mtime_ns == kept_at
    assert said == [f"{shards.count - 1} of {shards.count} shards are finished."]
    assert not predict_shards(run, paths, tmp_path / "out", sharding=sharding).missing()


def test_options_of_ray_need_it(job, tmp_path):
    run, paths, _ = job
    for settings in ({"workers": 2}, {"address": "auto"}):
        with pytest.raises(UsageError, match="--engine ray"):
            Sharding(**settings)
    with pytest.raises(UsageError, match="at least 1"):
        Sharding(size=0)
    if importlib.util.find_spec("ray") is None:
        with pytest.raises(UsageError, match=r"tfxfer\[ray\]"):
            predict_shards(run, paths, tmp_path / "out", sharding=Sharding(engine="ray"))
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_workers_of_ray_write_the_same_rows(job, tmp_path):
    run, paths, _ = job
    here = predict_shards(run, paths, tmp_path / "here", sharding=Sharding(size=8))
    sharding = Sharding(size=8, engine="ray", workers=2)
    there = predict_shards(run, paths, tmp_path / "there", sharding=sharding)
    assert rows(there) == rows(here)
