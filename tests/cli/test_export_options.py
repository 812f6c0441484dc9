"""`export` refuses options of another format before anything is loaded."""

import pytest
from click.testing import CliRunner

from tfxfer.cli import app
from tfxfer.cli.export import export


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--format", "onnx", "--name", "x"], ("--name", "--format saved_model", "onnx")),
        (["--format", "keras", "--keep", "2"], ("--keep", "--format saved_model", "keras")),
        (
            ["--format", "litert", "--export-dir", "x"],
            ("--export-dir", "--format saved_model", "litert"),
        ),
        (["--format", "litert", "--calibrate"], ("--calibrate", "--format saved_model", "litert")),
        (
            ["--format", "onnx", "--min-accuracy", "0.5"],
            ("--min-accuracy", "--format saved_model", "onnx"),
        ),
        (["--output", "x.onnx"], ("--output", "--format saved_model", "--export-dir")),
        (["--quantization", "int8"], ("--quantization", "--format litert")),
        (["--output", "x", "--quantization", "int8"], ("--output", "--format saved_model")),
        (["--format", "onnx", "--name", "none"], ("--name", "--format saved_model", "onnx")),
    ],
)
def test_an_option_of_another_format_is_refused(options, named):
    done = CliRunner().invoke(app.main, ["export", "no-such-model", *options])
    assert done.exit_code == 2
    assert done.output.startswith(f"Error: Option {named[0]} ")
    assert all(word in done.output for word in named)


def test_what_is_a_default_is_no_option_of_another_format():
    done = CliRunner().invoke(app.main, ["export", "no-such-model", "--quantization", "none"])
    assert "There is no model 'no-such-model'" in done.output
    assert export.name == "export"
