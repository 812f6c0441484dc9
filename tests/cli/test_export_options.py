"""`export` is one of two verbs; options of the other are refused before anything is loaded."""

import pytest
from click.testing import CliRunner

from tfxfer.cli import app
from tfxfer.cli.export import export


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--format", "onnx", "--name", "x"],
            "--name goes with --format saved_model, not with onnx",
        ),
        (["--format", "keras", "--keep", "2"], "--keep goes with --format saved_model, not with"),
        (
            ["--format", "litert", "--export-dir", "x"],
            "--export-dir goes with --format saved",
        ),
        (["--format", "litert", "--calibrate"], "--calibrate goes with --format saved_model, not"),
        (
            ["--format", "onnx", "--min-accuracy", "0.5"],
            "--min-accuracy goes with --format",
        ),
        (["--output", "x.onnx"], "--output goes with another --format than saved_model."),
        (["--quantization", "int8"], "--quantization goes with --format litert."),
        (["--output", "x", "--quantization", "int8"], "--output goes with another"),
        (["--format", "onnx", "--name", "none"], "--name goes with --format saved_model"),
    ],
)
def test_an_option_of_another_format_is_refused(options, message):
    done = CliRunner().invoke(app.main, ["export", "no-such-model", *options])
    assert done.exit_code == 2
    assert done.output.startswith("Error: Option ")
    assert message in done.output


def test_what_is_a_default_is_no_option_of_another_format():
    done = CliRunner().invoke(app.main, ["export", "no-such-model", "--quantization", "none"])
    assert "'no-such-model' is neither the directory of a run" in done.output
    assert export.name == "export"
