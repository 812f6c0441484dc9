"""What `export` publishes and writes."""

import json
import re
import shutil

import pytest
import tensorflow as tf
from command_line import run

from tfxfer.exporting.clients import how_to_serve


@pytest.mark.slow
def test_export_publishes_a_version_beside_the_first_and_says_how_to_serve_it(finished, tmp_path):
    done, _ = finished
    shutil.copytree(done.export, tmp_path / "mine" / "1")
    result = run("export", done.run, "--export-dir", tmp_path, "--name", "mine")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"1", "2"}
    version = tmp_path / "mine" / "2"
    assert result.output.startswith(f"Published '{version}'.\n")
    assert how_to_serve(version) in result.output
    assert {path.name for path in version.iterdir()} == {
        "assets",
        "assets.extra",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    }
    assert (version / "assets.extra" / "request.json").is_file()
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    assert facts["test"] == done.metrics["test"]
    assert set(tf.saved_model.load(str(version)).signatures) == {
        "serving_default",
        "pixels",
        "features",
    }


def test_export_refuses_what_is_not_accurate_enough_with_exit_code_1(finished, tmp_path):
    done, _ = finished
    shutil.copytree(done.run, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text('{"validation": {"accuracy": 0.5}}')
    result = run("export", tmp_path / "run", "--export-dir", tmp_path, "--min-accuracy", 0.9)
    assert result.exit_code == 1
    assert re.search(r"validation.* 0\.5000.* 0\.9 .*--min-accuracy", result.output)
    assert run("export", done.run, "--min-accuracy", 2).exit_code == 2
    assert run("export", done.run, "--keep", 0).exit_code == 2
    assert run("export", tmp_path / "none").exit_code == 2


def test_export_writes_other_formats_and_says_what_they_lose(finished, tmp_path):
    done, _ = finished
    path = tmp_path / "model.tflite"
    result = run("export", done.run, "--format", "litert", "--output", path)
    assert result.exit_code == 0, result.output
    score = f"{done.metrics['test']['accuracy']:.4f}"
    assert result.output.startswith(f"Wrote '{path}', ")
    compared = result.output.splitlines()[1]
    assert "test accuracy" in compared
    assert compared.count(score) == 2
    assert "12 images" in compared
    for options in (
        ("--format", "onnx", "--keep", 3),
        ("--output", path),
        ("--quantization", "int8"),
    ):
        result = run("export", done.run, *options)
        assert result.exit_code == 2
        assert f"Option {next(o for o in options if o.startswith('--') and o != '--format')} " in (
            result.output
        )


def test_a_name_that_leads_elsewhere_publishes_nothing(finished, tmp_path):
    done, _ = finished
    for name in ("../outside", "my model", "", "/tmp/outside", "-x"):
        result = run("export", done.run, "--export-dir", tmp_path / "exports", "--name", name)
        assert result.exit_code == 2
        assert "Setting 'name' is " in result.output
    assert list(tmp_path.iterdir()) == []
