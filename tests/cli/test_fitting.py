"""What `fit` refuses, and what it says."""

import pytest
from command_line import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backbone", "resnet5"], "Error: Unknown backbone 'resnet5'. Did you mean 'resnet50'? "),
        (["--batch-size", "0"], "Error: Setting 'batch_size' is 0; it must be at least 1."),
        (["--data", "./none"], "Error: There is no directory './none'."),
        (
            ["--unfreeze", "conv6"],
            "Error: Unknown stage 'conv6' of backbone 'resnet50'. Did you mean",
        ),
        (["--weights", "none.h5"], "Error: There is no weights file 'none.h5'."),
        (["--image-size", "31"], "backbone 'resnet50' needs at least 32 pixels."),
        (["--runs-dir", "/dev/null/runs"], "Error: Cannot write to '/dev/null/runs'"),
        (["--config", "none.toml"], "Error: There is no recipe 'none.toml'."),
        (["--head-epochs", "many"], "'many' is not a valid integer"),
        (["--head-pooling", "mean"], "'mean' is not one of 'average', 'max', 'both', 'flatten'"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(arguments, message, pictures):
    result = run("fit", "--data", pictures, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_folder_with_one_class_and_an_empty_class_are_named(tmp_path):
    (tmp_path / "one" / "a").mkdir(parents=True)
    (tmp_path / "one" / "a" / "x.jpg").touch()
    result = run("fit", "--data", tmp_path / "one")
    assert result.exit_code == 2
    assert (
        f"Found 1 class folder in '{tmp_path}/one'; a classifier needs at least 2." in result.output
    )
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
        *("fit", "--data", pictures, "--run", "colours", "--runs-dir", done.run.parent),
    )
    assert result.exit_code == 2
    assert f"The run '{done.run}' exists already. Choose another --run" in result.output
    assert before == {path: path.stat().st_mtime_ns for path in done.run.rglob("*")}
