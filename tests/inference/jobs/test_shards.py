"""Jobs of shards: what is where, what is missing, and what another job is refused for."""

import pytest

from tfxfer.errors import UsageError
from tfxfer.inference.jobs.shards import Shards

FILES = [f"/photos/{number}.jpg" for number in range(10)]


@pytest.fixture
def model(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.keras").write_bytes(b"weights")
    return run


def begun(tmp_path, model, files=FILES, size=4, top=1):
    return Shards.begun(tmp_path / "out", model, files, size=size, top=top)


def test_every_file_is_in_one_shard_in_its_order(tmp_path, model):
    shards = begun(tmp_path, model)
    assert shards.count == 3
    assert [one for number in range(3) for one in shards.files_of(number)] == FILES
    assert shards.path(2).name == "part-00002-of-00003.parquet"


def test_a_job_is_resumed_by_the_same_call(tmp_path, model):
    shards = begun(tmp_path, model)
    shards.path(1).write_bytes(b"done")
    assert begun(tmp_path, model).missing() == [0, 2]
    (model / "report.html").write_text("written again")
    assert begun(tmp_path, model).missing() == [0, 2]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"files": FILES[:9]}, "other files"),
        ({"files": FILES[::-1]}, "other files"),
        ({"size": 5}, "another size"),
        ({"top": 2}, "another --top"),
    ],
)
def test_another_job_is_refused(tmp_path, model, changes, what):
    begun(tmp_path, model)
    with pytest.raises(UsageError, match=f"out' has predictions .*{what}"):
        begun(tmp_path, model, **changes)


def test_another_model_is_refused_wherever_it_is(tmp_path, model):
    begun(tmp_path, model)
    moved = model.rename(tmp_path / "moved")
    assert begun(tmp_path, moved).missing() == [0, 1, 2]
    (moved / "model.keras").write_bytes(b"others")
    with pytest.raises(UsageError, match="another model"):
        begun(tmp_path, moved)


def test_what_is_in_the_way_is_not_touched(tmp_path, model):
    (tmp_path / "out").mkdir()
    assert begun(tmp_path, model).count == 3  # it was empty
    (tmp_path / "out" / "job.json").write_text("{")
    with pytest.raises(UsageError, match=r"job\.json"):
        begun(tmp_path, model)
    (tmp_path / "out" / "job.json").unlink()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        begun(tmp_path, model)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
