"""A run belongs to one process, on any file system and any system."""

import errno
import os
import socket
import subprocess
import sys

import pytest

from tfxfer.errors import UsageError
from tfxfer.runs.lock import locked
from tfxfer.runs.naming import numbered_run
from tfxfer.system import notices
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.sharing import locks
from tfxfer.system.sharing.locks import owner

LOCKING = """
import pathlib, sys
from tfxfer.runs.lock import locked
from tfxfer.system.run_layout import RunDirectory
with locked(RunDirectory(pathlib.Path(sys.argv[1]))):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_run_belongs_to_one_process_until_that_ends_however_it_does(tmp_path):
    run = RunDirectory(tmp_path / "runs" / "a")
    command = [sys.executable, "-c", LOCKING, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        message = rf"on the run '.*a': process {other.pid} on .*--run"
        with pytest.raises(UsageError, match=message), locked(run):
            pass
        # A run without a name steps aside.
        runs = str(tmp_path / "runs")
        assert numbered_run(runs, "a", lambda run: False).path.name == "a-2"
        other.kill()
    assert run.lock.exists()  # it is stale, and no obstacle
    with locked(run):
        run.config.touch()
    assert [path.name for path in run.path.iterdir()] == ["config.toml"]


def test_a_run_in_which_nothing_was_written_leaves_no_directory(tmp_path):
    with locked(RunDirectory(tmp_path / "a")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_half_written_files_of_killed_processes_are_removed_with_the_first_lock(tmp_path):
    for name in (".12.model.keras", ".hidden", "a.12.csv"):
        (tmp_path / name).touch()
    (tmp_path / ".13.checkpoints").mkdir()
    with locked(RunDirectory(tmp_path)):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.12.csv"]


def test_where_nothing_was_written_no_directory_is_left(tmp_path):
    run = RunDirectory(tmp_path / "runs" / "a")
    with locked(run):
        assert run.lock.is_file()
    assert list(tmp_path.iterdir()) == []
    with locked(run):
        (run.path / "kept").touch()
    assert (run.path / "kept").is_file()
    with locked(RunDirectory(tmp_path / "runs" / "b")):
        pass
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a"]


@pytest.fixture
def notes(monkeypatch, caplog):
    monkeypatch.setattr(notices, "_said", set())
    return caplog


@pytest.fixture(params=[errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, None])
def no_locks(request, monkeypatch):
    """A file system without locks or, for None, a system."""

    class Fcntl:
        LOCK_EX = LOCK_NB = LOCK_SH = 1

        @staticmethod
        def flock(file, operation):
            raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(locks, "fcntl", Fcntl if request.param else None)


def test_without_locks_work_continues_after_one_warning(tmp_path, no_locks, notes):
    run = RunDirectory(tmp_path / "run")
    for _ in range(2):
        with locked(run):
            assert run.lock.read_text() == owner()
            (run.path / "config.toml").touch()
        assert not run.lock.exists()
    (message,) = notes.messages
    assert str(run.lock) in message
    assert "cannot be locked" in message


def test_without_locks_a_process_of_this_machine_is_known_by_what_the_file_says(
    tmp_path, no_locks, notes
):
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    (run.path / "config.toml").touch()
    holder = f"process {os.getppid()} on {socket.gethostname()}"
    run.lock.write_text(holder)
    with pytest.raises(UsageError, match=holder), locked(run):
        pass
    assert run.lock.read_text() == holder
    for left in ("process 4194999 on " + socket.gethostname(), "process 1 on another", "", "x"):
        run.lock.write_text(left)
        with locked(run):
            assert run.lock.read_text() == owner()
