"""A run's directory: started, finished, resumed."""

import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.runs.checkpoints import Checkpoints
from tfxfer.runs.directory import open_run, replace_settings, start_run
from tfxfer.runs.naming import run_to_resume
from tfxfer.runs.places import run_settings, settings_to_resume
from tfxfer.system.files import (
    check_output,
    write_json,
    write_text,
)
from tfxfer.system.run_layout import RunDirectory


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


def test_replaced_settings_come_back_while_the_run_can_be_resumed(tmp_path):
    run = RunDirectory(tmp_path / "a")
    start_run(run, "seed = 1\n", ("cat", "dog"))
    run.checkpoints.mkdir()
    assert run.to_resume == run.config
    replace_settings(run, "seed = 2\n")
    assert run.config.read_text() == "seed = 2\n"
    assert run.to_resume.read_text() == "seed = 1\n"
    assert settings_to_resume(run, FitConfig).seed == 1
    assert run_settings(run, FitConfig).seed == 2
    Checkpoints(run.checkpoints).remove()
    assert run.to_resume.read_text() == "seed = 2\n"


def test_a_directory_that_is_no_finished_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"not a run.*'config.toml'"):
        open_run(tmp_path)
    RunDirectory(tmp_path).config.touch()
    with pytest.raises(UsageError, match=r"did not finish.*'model.keras'"):
        open_run(tmp_path)
    RunDirectory(tmp_path).metrics.touch()
    RunDirectory(tmp_path).out_of_fold.touch()
    with pytest.raises(UsageError, match=f"of a fit within --folds.* Name '{tmp_path.parent}'"):
        open_run(tmp_path)
    RunDirectory(tmp_path).model.touch()
    assert open_run(tmp_path).path == tmp_path


def test_the_first_asked_settings_stay_when_a_run_is_resumed(tmp_path):
    run = RunDirectory(tmp_path / "run")
    start_run(run, "epochs = 3\n", ("cat", "dog"), "")
    start_run(run, "epochs = 3\n", ("cat", "dog"), "epochs = 3\n")
    assert run.asked.read_text() == ""
    start_run(RunDirectory(tmp_path / "other"), "epochs = 3\n", ("cat", "dog"))
    assert not (tmp_path / "other" / "asked.toml").exists()


def test_a_tilde_is_the_home_directory_in_what_the_user_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_text("~/a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()
    assert run_to_resume("~/run").path == tmp_path / "run"
    with pytest.raises(UsageError, match="no user 'nobodyatall'"):
        check_output("~nobodyatall/a.json")
