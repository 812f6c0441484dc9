"""Which names runs may have, and which is taken."""

import pytest

from tfxfer.errors import UsageError
from tfxfer.runs.directory import start_run
from tfxfer.runs.naming import named_run, numbered_run, run_to_resume
from tfxfer.system.files import (
    write_json,
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
    with pytest.raises(UsageError, match=r"'.*/a' already exists.*--run"):
        named_run(str(tmp_path), "a")


def test_a_folder_that_is_not_a_run_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="already exists"):
        named_run(str(tmp_path), "a")


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden", "-x"])
def test_a_run_has_a_plain_name(tmp_path, name):
    with pytest.raises(UsageError, match="Setting 'run' is .*--runs-dir"):
        named_run(str(tmp_path), name)


def test_a_run_without_a_name_gets_the_first_free_number_or_resumes(tmp_path):
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


def test_a_directory_to_resume_must_be_a_run(tmp_path):
    with pytest.raises(UsageError, match=r"Cannot resume '.*'.* no 'config.toml'"):
        run_to_resume(tmp_path)
