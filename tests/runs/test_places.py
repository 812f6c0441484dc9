"""Paths in a run's settings lead to the same place from any directory, and after a move."""

import sys

import pytest

from tfxfer.config.recipes import to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.runs.places import (
    absolute,
    data_places,
    missing_data,
    note_places,
    run_settings,
    with_unchanged_places,
)
from tfxfer.system.run_layout import RunDirectory

RELATIVE = FitConfig(data="photos", data_dir="tfds", export_dir="saved_models", run="a")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory in which a run was started, and the working directory elsewhere."""
    project = tmp_path / "project"
    run = RunDirectory(project / "runs" / "a")
    run.path.mkdir(parents=True)
    for name in ("photos", "tfds"):
        (project / name).mkdir()
    run.config.write_text(to_toml(RELATIVE))
    monkeypatch.chdir(project)
    note_places(run, RELATIVE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return project


def places_of(config):
    return config.data, config.data_dir, config.export_dir


def expected(project):
    return tuple(str(project / name) for name in ("photos", "tfds", "saved_models"))


def test_where_a_run_was_started_its_settings_stay_as_they_were_typed(project, monkeypatch):
    monkeypatch.chdir(project)
    assert run_settings(RunDirectory(project / "runs" / "a"), FitConfig) == RELATIVE


def test_elsewhere_they_are_absolute(project):
    found = run_settings(RunDirectory(project / "runs" / "a"), FitConfig)
    assert places_of(found) == expected(project)


def test_what_has_the_same_name_elsewhere_is_not_mistaken_for_it(project, tmp_path):
    (tmp_path / "elsewhere" / "photos").mkdir()
    found = run_settings(RunDirectory(project / "runs" / "a"), FitConfig)
    assert found.data == str(project / "photos")


@pytest.mark.parametrize("copied", [False, True])
def test_in_a_project_that_was_moved_they_lead_to_where_it_is_now(project, tmp_path, copied):
    moved = tmp_path / "moved"
    project.rename(moved)
    if copied:  # the old one is still there, too
        (project / "photos").mkdir(parents=True)
    found = run_settings(RunDirectory(moved / "runs" / "a"), FitConfig)
    assert places_of(found) == expected(moved)


def test_a_run_that_was_moved_alone_still_finds_them(project, tmp_path):
    (project / "runs" / "a").rename(tmp_path / "kept")
    found = run_settings(RunDirectory(tmp_path / "kept"), FitConfig)
    assert places_of(found) == expected(project)


def test_a_run_of_before_there_was_a_record_is_known_by_where_it_lies(project):
    run = RunDirectory(project / "runs" / "a")
    run.places.unlink()
    assert places_of(run_settings(run, FitConfig)) == expected(project)


def test_names_of_data_are_no_places(project):
    run = RunDirectory(project / "runs" / "a")
    for name in ("digits", "cifar10", "hf:beans"):
        config = FitConfig(data=name, weights="imagenet", run="a")
        run.config.write_text(to_toml(config))
        note_places(run, config)
        found = run_settings(run, FitConfig)
        assert (found.data, found.weights) == (name, "imagenet")
        assert missing_data(run, found) == []


def test_missing_data_are_reported_with_all_places(project, tmp_path):
    run = RunDirectory(project / "runs" / "a")
    assert missing_data(run, run_settings(run, FitConfig)) == []
    (project / "photos").rename(project / "pictures")
    config = run_settings(run, FitConfig)
    looked = [str(project / "photos"), str(tmp_path / "elsewhere" / "photos")]
    assert missing_data(run, config) == data_places(run, config) == looked


def test_a_path_that_is_typed_as_in_the_run_means_the_same(project):
    run = RunDirectory(project / "runs" / "a")
    theirs = run_settings(run, FitConfig)
    assert with_unchanged_places(RELATIVE, run, theirs) == theirs
    other = FitConfig(data="others", export_dir="saved_models")
    assert with_unchanged_places(other, run, theirs).data == "others"


def test_settings_are_made_absolute_where_there_is_something(project, monkeypatch):
    monkeypatch.chdir(project)
    found = absolute(FitConfig(data="photos", weights="imagenet", export_dir="to/come"))
    assert found.data == str(project / "photos")
    assert found.weights == "imagenet"
    assert found.export_dir == str(project / "to" / "come")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems have no such names")
def test_a_working_directory_that_is_not_utf_8_is_found_again(tmp_path, monkeypatch):
    folder = tmp_path / "a\udcffb"
    (folder / "photos").mkdir(parents=True)
    monkeypatch.chdir(folder)
    run = RunDirectory(tmp_path / "runs" / "a")
    run.path.mkdir(parents=True)
    config = FitConfig(data="photos")
    run.config.write_text(to_toml(config))
    note_places(run, config)
    monkeypatch.chdir(tmp_path)
    assert run_settings(run, FitConfig).data == str(folder / "photos")
