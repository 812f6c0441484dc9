"""What computes shards: this process, and workers of Ray where it is installed."""

import importlib.util
import os
import pathlib
import signal

import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.jobs.engines import check_ray, run_here, run_on_ray

has_ray = importlib.util.find_spec("ray") is not None


def writing(folder, kills=(), fails=()):
    """Returns what writes the number of a shard into a file.

    Some kill their process when they are begun first, some fail. Defined here, so that workers get
    it by value: they cannot import the tests.
    """

    def write(number):
        marker = pathlib.Path(folder, f"{number}.begun")
        was_begun = marker.exists()
        marker.touch()
        if number in kills and not was_begun:
            os.kill(os.getpid(), signal.SIGKILL)
        if number in fails:
            raise ValueError(f"shard {number} is bad")
        pathlib.Path(folder, str(number)).write_text(str(number))

    return write


def written(folder):
    return sorted(int(path.name) for path in folder.iterdir() if not path.suffix)


def test_shards_are_computed_here_one_after_the_other(tmp_path):
    done = run_here([3, 1], writing(str(tmp_path)))
    assert next(done) == 3
    assert written(tmp_path) == [3]
    assert list(done) == [1]
    with pytest.raises(ValueError, match="bad"):
        list(run_here([2], writing(str(tmp_path), fails=(2,))))


@pytest.mark.skipif(has_ray, reason="Ray is installed")
def test_without_ray_the_extra_is_named():
    with pytest.raises(UsageError, match=r"tfxfer\[ray\]"):
        check_ray()


@pytest.mark.slow
@pytest.mark.skipif(not has_ray, reason="Ray is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_worker_that_is_killed_costs_no_shard_and_a_bad_shard_not_the_others(tmp_path):
    check_ray()
    write = writing(str(tmp_path), kills=(0, 2, 3, 5, 7), fails=(4,))
    with pytest.raises(RunError, match=r"1 of 8 shards failed.*shard 4 is bad"):
        list(run_on_ray(range(8), write, 2, None))
    assert written(tmp_path) == [0, 1, 2, 3, 5, 6, 7]
    (number,) = run_on_ray([4], writing(str(tmp_path)), 1, None)
    assert number == 4
    assert written(tmp_path) == list(range(8))
