import errno
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest
from nasty_names import NASTY_NAMES

from tfxfer.errors import RunError, UsageError
from tfxfer.runs.class_names import read_class_names, write_class_names
from tfxfer.runs.directory import open_run, start_run
from tfxfer.runs.lock import locked
from tfxfer.runs.naming import named_run, numbered_run, run_to_resume
from tfxfer.runs.versions import (
    new_version,
    next_version,
    prune_versions,
    publish_version,
    versions,
)
from tfxfer.system import notices
from tfxfer.system.files import (
    check_output,
    check_writable,
    flush,
    remove_at_once,
    replacing,
    write_json,
    write_text,
)
from tfxfer.system.run_layout import RunDirectory


def test_a_run_named_by_the_user_must_be_new_or_interrupted(tmp_path):
    assert named_run(str(tmp_path), "a").path == tmp_path / "a"
    (tmp_path / "a").mkdir()
    run = named_run(str(tmp_path), "a")
    assert run.is_new
    start_run(run, "epochs = 3\n", ("cat", "dog"))
    assert named_run(str(tmp_path), "a").is_interrupted
    write_json(run.metrics, {})
    with pytest.raises(UsageError, match=r"The run '.*/a' exists already. Choose another --run"):
        named_run(str(tmp_path), "a")


def test_a_folder_that_is_no_run_is_not_taken_for_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="exists already"):
        named_run(str(tmp_path), "a")


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden", "-x"])
def test_a_run_has_a_plain_name(tmp_path, name):
    with pytest.raises(UsageError, match="it must be a plain name"):
        named_run(str(tmp_path), name)


def test_a_run_without_a_name_gets_the_first_number_that_is_free_or_goes_on(tmp_path):
    def found(settings):
        def same(run):
            return run.config.read_text() == settings

        return numbered_run(str(tmp_path), "a", same)

    assert found("x").path.name == "a"
    start_run(found("x"), "x", ("cat", "dog"))
    assert (found("x").path.name, found("y").path.name) == ("a", "a-2")
    start_run(found("y"), "y", ("cat", "dog"))
    assert [found(settings).path.name for settings in "xyz"] == ["a", "a-2", "a-3"]
    write_json(RunDirectory(tmp_path / "a").metrics, {})
    assert [found(settings).path.name for settings in "xy"] == ["a-3", "a-2"]


def test_a_run_is_finished_once_it_has_results_and_nothing_to_go_on_from(tmp_path):
    run = RunDirectory(tmp_path / "a")
    states = [(run.is_new, run.is_interrupted, run.is_finished)]
    for change in (
        lambda: start_run(run, "", ("cat", "dog")),
        run.checkpoints.mkdir,
        lambda: write_json(run.metrics, {}),
        run.checkpoints.rmdir,
    ):
        change()
        states.append((run.is_new, run.is_interrupted, run.is_finished))
    interrupted = (False, True, False)
    assert states == [(True, False, False), *[interrupted] * 3, (False, False, True)]


def test_a_directory_to_resume_must_be_a_run(tmp_path):
    with pytest.raises(UsageError, match=r"Cannot resume '.*': it is not a run, as it has no 'co"):
        run_to_resume(tmp_path)


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
        message = rf"on the run '.*a': process {other.pid} on .*\. Wait for it, or choose another"
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


def test_a_directory_that_is_no_finished_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is not a run: it has no 'config.toml'"):
        open_run(tmp_path)
    RunDirectory(tmp_path).config.touch()
    with pytest.raises(UsageError, match=r"did not finish: it has no 'model.keras'"):
        open_run(tmp_path)
    RunDirectory(tmp_path).model.touch()
    assert open_run(tmp_path).path == tmp_path


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"Cannot write to '.*/file/runs': '.*/file' is not a dire"
    ):
        check_writable(tmp_path / "file" / "runs", "runs_dir")
    check_writable(tmp_path / "new" / "runs", "runs_dir")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(
        UsageError, match=r"no permission to write in '.*'. Choose another --runs-di"
    ):
        check_writable(tmp_path, "runs_dir")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
        assert temporary.suffix == ".txt"
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "missing" / "file.txt"
    with pytest.raises(RunError, match=r"Cannot write '.*missing/file.txt': No such file"):
        write_json(path, {})


def test_what_was_asked_for_first_stays_when_a_run_is_begun_again(tmp_path):
    run = RunDirectory(tmp_path / "run")
    start_run(run, "epochs = 3\n", ("cat", "dog"), "")
    start_run(run, "epochs = 3\n", ("cat", "dog"), "epochs = 3\n")
    assert run.asked.read_text() == ""
    start_run(RunDirectory(tmp_path / "other"), "epochs = 3\n", ("cat", "dog"))
    assert not (tmp_path / "other" / "asked.toml").exists()


def test_class_names_are_read_back_in_order(tmp_path):
    names = ("b", "a", "", "ø 日本", "two\nlines", "\r", '"quoted"', 'a "b"', " <i>")
    write_class_names(tmp_path / "classes.txt", names)
    assert read_class_names(tmp_path / "classes.txt") == names
    with pytest.raises(UsageError, match=r"There is no '.*none.txt' with the names"):
        read_class_names(tmp_path / "none.txt")


@pytest.mark.parametrize("names", [NASTY_NAMES, NASTY_NAMES[::-1], ("\ufeffcat", "x ", "y")])
def test_class_names_are_read_back_whatever_is_in_them(tmp_path, names):
    write_class_names(tmp_path / "classes.txt", names)
    assert read_class_names(tmp_path / "classes.txt") == names
    # Other programs find a line for each, too.
    assert len((tmp_path / "classes.txt").read_text("utf-8").splitlines()) == len(names)


def test_class_names_that_were_edited_on_windows_are_read(tmp_path):
    (tmp_path / "classes.txt").write_bytes("\ufeffcaf\u00e9\r\ntea\r\n".encode())
    assert read_class_names(tmp_path / "classes.txt") == ("caf\u00e9", "tea")


def test_class_names_are_lines_but_for_those_that_cannot_be(tmp_path):
    write_class_names(tmp_path / "classes.txt", ("cat", 'a "b"', "two\nlines", '"quoted"'))
    lines = (tmp_path / "classes.txt").read_text().splitlines()
    assert lines == ["cat", 'a "b"', r'"two\nlines"', r'"\"quoted\""']
    (tmp_path / "classes.txt").write_text('"unfinished\n')
    with pytest.raises(UsageError, match=r"A line of '.*classes.txt' begins with a quote, but is"):
        read_class_names(tmp_path / "classes.txt")


def test_json_is_written_for_people(tmp_path):
    write_json(tmp_path / "a.json", {"ø": 1})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "ø": 1\n}\n'
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"ø": 1}


def test_the_next_version_follows_the_highest(tmp_path):
    assert next_version(tmp_path / "none") == 1
    for name in ("2", "10", "x", "v11", ".unfinished-1"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 11


def test_an_unfinished_version_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), new_version(tmp_path / "x") as temporary:
        (temporary / "half").touch()
        assert temporary.parent == tmp_path
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), new_version(tmp_path / "made" / "for" / "x"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x").mkdir()
    with pytest.raises(ZeroDivisionError), new_version(tmp_path / "x"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_file_where_versions_should_go_is_found_before_they_are_written(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(FileExistsError), new_version(tmp_path / "x"):
        pytest.fail("began to write")


def test_what_killed_exports_left_is_removed_after_a_day(tmp_path):
    for name in (".unfinished-x-old", ".unfinished-x-new", ".unfinished-y-old"):
        (tmp_path / name).mkdir()
        if name.endswith("old"):
            os.utime(tmp_path / name, (0, 0))
    with new_version(tmp_path / "x"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".unfinished-x-new",
        ".unfinished-y-old",
    ]


def test_old_versions_are_removed_and_never_the_newest(tmp_path):
    folder = tmp_path / "x"
    for name in ("2", "9", "10", "notes"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    assert prune_versions(folder, keep=5) == []
    assert prune_versions(folder, keep=2) == [folder / "2"]
    assert prune_versions(folder, keep=1) == [folder / "9"]
    assert versions(folder) == [folder / "10"]
    assert sorted(path.name for path in folder.iterdir()) == ["10", "notes"]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_versions_published_at_once_get_numbers_of_their_own(tmp_path):
    barrier = threading.Barrier(8)
    published = []

    def publish(number):
        with new_version(tmp_path / "x") as temporary:
            (temporary / "saved_model.pb").write_text(str(number))
            barrier.wait()
            published.append((publish_version(temporary, tmp_path / "x"), number))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == list("12345678")
    for path, number in published:
        assert (path / "saved_model.pb").read_text() == str(number)
        assert path.stat().st_mode & 0o777 == 0o755


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


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_flush_is_told_of_once(tmp_path, monkeypatch, caplog, number):
    def fails(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(notices, "_said", set())
    monkeypatch.setattr(os, "fsync", fails)
    for name in "ab":
        write_text(tmp_path / name, name)
        flush(tmp_path)
        assert (tmp_path / name).read_text() == name
    files, directories = caplog.messages
    assert f"'{tmp_path}' does not flush files" in files
    assert "does not flush directories" in directories
    assert os.strerror(number) in directories


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_flush_that_lost_data_is_an_error(tmp_path, monkeypatch, number):
    def fails(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(RunError, match=os.strerror(number)):
        write_text(tmp_path / "a", "a")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match=os.strerror(number)):
        flush(tmp_path)


def test_a_directory_that_cannot_be_renamed_is_removed_all_the_same(tmp_path, monkeypatch):
    def other_layer(self, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    for number in (1, 2):
        (tmp_path / "model" / str(number)).mkdir(parents=True)
    monkeypatch.setattr(pathlib.Path, "rename", other_layer)
    prune_versions(tmp_path / "model", 1)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["2"]
    remove_at_once(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_home_directory_in_what_the_user_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_text("~/a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()
    assert run_to_resume("~/run").path == tmp_path / "run"
    with pytest.raises(UsageError, match="no user 'nobodyatall'"):
        check_output("~nobodyatall/a.json")
