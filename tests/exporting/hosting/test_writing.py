"""`demo` with --space and --docker."""

from command_line import run


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
