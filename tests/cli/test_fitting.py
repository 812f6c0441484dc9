"""What `fit` refuses, and what it says."""

import contextlib
import json
import os
import subprocess
import sys
import termios

import pytest
from command_line import run


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--backbone", "resnet5"], ["'resnet5'", "Did you mean 'resnet50'?", "tfxfer backbones"]),
        (["--batch-size", "0"], ["'batch_size' is 0", "at least 1"]),
        (["--data", "./none"], ["no directory './none'"]),
        (["--unfreeze", "conv6"], ["'conv6'", "'resnet50'", "Did you mean 'conv5'?"]),
        (["--weights", "none.h5"], ["no weights file 'none.h5'"]),
        (["--image-size", "31"], ["'image_size' is 31", "'resnet50'", "at least 32"]),
        (["--runs-dir", "/dev/null/runs"], ["Cannot write to '/dev/null/runs'"]),
        (["--config", "none.toml"], ["no recipe 'none.toml'"]),
        (["--head-epochs", "many"], ["'--head-epochs'", "'many'", "integer"]),
        (["--profile", "none/timeline.json"], ["'none/timeline.json'", "--profile"]),
        (["--process-id", "1"], ["--process-id is for several processes: add --distributed"]),
        (["--distributed", "--profile", "a.json"], ["--profile", "without --distributed"]),
        (["--distributed", "--coordinator", "a"], ["--coordinator is 'a'", "HOST:PORT"]),
        (["--distributed", "--process-id", "2", "--num-processes", "2"], ["the last is 1"]),
        (["--distributed"], ["--distributed needs JAX", "Set KERAS_BACKEND=jax"]),
        (
            ["--distributed", "--num-processes", "2", "--dry-run"],
            ["--distributed needs JAX", "Set KERAS_BACKEND=jax"],
        ),
        (["--head-pooling", "mean"], ["'mean'", "'average', 'max', 'both', 'flatten'"]),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(arguments, named, pictures):
    result = run("fit", "--data", pictures, *arguments)
    assert result.exit_code == 2
    last = result.output.splitlines()[-1]
    assert last.startswith("Error: ")
    assert all(part in last for part in named)
    assert "Traceback" not in result.output


def test_a_folder_with_one_class_and_an_empty_class_are_named(tmp_path):
    (tmp_path / "one" / "a").mkdir(parents=True)
    (tmp_path / "one" / "a" / "x.jpg").touch()
    result = run("fit", "--data", tmp_path / "one")
    assert result.exit_code == 2
    for part in ("1 class folder ", f"'{tmp_path}/one'", "at least 2"):
        assert part in result.output
    (tmp_path / "one" / "b").mkdir()
    result = run("fit", "--data", tmp_path / "one")
    assert result.exit_code == 2
    assert "b'" in result.output


def test_a_failure_exits_with_1(tmp_path, pictures):
    (tmp_path / "bad.weights.h5").write_text("no weights")
    result = run(
        *("fit", "--data", pictures, "--weights", tmp_path / "bad.weights.h5"),
        *("--backbone", "mobilenet_025", "--image-size", 32),
    )
    assert result.exit_code == 1
    assert result.output.startswith("Error: Cannot load weights of 'mobilenet_025' from")


def test_a_run_that_exists_is_not_touched(finished, pictures):
    done, _ = finished
    before = {path: path.stat().st_mtime_ns for path in done.run.rglob("*")}
    result = run(
        *("fit", "--data", pictures, "--run", "colors", "--runs-dir", done.run.parent),
    )
    assert result.exit_code == 2
    for part in (f"'{done.run}'", "already exists", "--run"):
        assert part in result.output
    assert before == {path: path.stat().st_mtime_ns for path in done.run.rglob("*")}


def test_a_profile_shows_where_the_time_goes(tmp_path):
    given = ("--data", "digits", "--backbone", "resnet10_small", "--dry-run")
    file = tmp_path / "timeline.json"
    result = run("fit", *given, "--profile", file)
    assert result.exit_code == 0
    rows = result.stdout[result.stdout.index("where the time goes") :].splitlines()
    assert rows[0].split()[-3:] == ["wall", "CPU", "cores"]
    assert any(row.startswith("total ") for row in rows)
    assert str(file) in rows[-1]
    names = {event["name"] for event in json.loads(file.read_text())["traceEvents"]}
    assert {"start", "import", "end"} <= names


@pytest.mark.slow
def test_the_profile_of_a_fit_has_its_phases(tmp_path):
    given = ("--data", "digits", "--backbone", "resnet10_small", "--effort", "quick")
    short = ("--train-examples", 200, "--finetune-epochs", 2, "--runs-dir", tmp_path)
    file = tmp_path / "timeline.json"
    result = run("fit", *given, *short, "--export-dir", tmp_path / "exports", "--profile", file)
    assert result.exit_code == 0
    names = {event["name"] for event in json.loads(file.read_text())["traceEvents"]}
    assert {"head", "solve the head", "finetune", "finetune epoch 2", "export", "report"} <= names
    assert "  finetune epoch (2 times)" in result.stdout


@pytest.mark.slow
def test_lines_fit_the_terminal():
    given = ["fit", "--data", "digits", "--backbone", "resnet10_small", "--dry-run"]
    program = "import sys; from tfxfer.cli import main; sys.exit(main())"
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (50, 60))
    with subprocess.Popen(
        [sys.executable, "-c", program, *given],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    ) as process:
        os.close(theirs)
        output = b""
        with contextlib.suppress(OSError):  # at the end of a terminal
            while more := os.read(ours, 65536):
                output += more
    os.close(ours)
    text = output.decode()
    assert process.returncode == 0, text
    lines = [line.rpartition("\x1b[K")[2].rstrip("\r") for line in text.splitlines()]
    assert max(map(len, lines)) <= 60
    assert " " * 16 + "test images" in lines
