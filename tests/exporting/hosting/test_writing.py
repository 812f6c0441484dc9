"""`demo` with --space and --docker."""

import shutil

import pytest
from command_line import run

from tfxfer.errors import UsageError
from tfxfer.exporting.hosting.writing import write_hosted


@pytest.mark.slow
def test_a_run_is_exported_first(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("demo", finished[0].run, "--space", "space")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "space" / "model" / "assets" / "labels.txt").is_file()
    assert "model-index" not in (tmp_path / "space" / "README.md").read_text()
    again = run("demo", finished[0].run, "--space", "space")
    assert again.exit_code == 2
    assert "--space" in again.stderr
    assert again.stderr.count("\n") == 1


def test_bad_folders_are_refused_before_the_export(finished, tmp_path):
    done = run("demo", finished[0].run, "--space", tmp_path / "a", "--docker", tmp_path / "a")
    assert done.exit_code == 2
    assert "same folder" in done.stderr
    done = run("demo", tmp_path / "none", "--docker", tmp_path / "a")
    assert done.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_what_was_written_is_said_with_its_command(written):
    space, docker, (of_space, of_docker) = written
    assert str(space / "app.py") in of_space
    assert f"docker build -t colors {docker}" in of_docker


def test_only_the_card_of_a_run_is_taken(finished, tmp_path):
    version = tmp_path / "colors" / "1"
    shutil.copytree(finished[0].export, version)
    for folder in (version, version.parent):
        (folder / "README.md").write_text("private notes")
        space = tmp_path / f"space-{folder.name}"
        write_hosted(folder, lambda *_, **__: None, print, space=space)
        assert "private notes" not in (space / "README.md").read_text()


def test_an_export_without_requests_is_refused_before_anything_is_written(finished, tmp_path):
    version = tmp_path / "colors" / "1"
    shutil.copytree(finished[0].export, version, ignore=shutil.ignore_patterns("assets.extra"))
    to = {"space": tmp_path / "space", "docker": tmp_path / "docker"}
    with pytest.raises(UsageError, match="assets.extra"):
        write_hosted(version, lambda *_, **__: None, print, **to)
    assert [path.name for path in tmp_path.iterdir()] == ["colors"]
