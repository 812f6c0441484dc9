import csv
import dataclasses
import json
import re
import shutil
import subprocess
import sys

import click
import numpy as np
import pytest
from click.testing import CliRunner

import tfxfer
from tfxfer.api.evaluate import evaluate
from tfxfer.cli.app import main
from tfxfer.cli.fitting import fit, pretrain
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.config.settings import option_of, setting_keys
from tfxfer.data.cache import Cache
from tfxfer.errors import RunError
from tfxfer.exporting.clients import how_to_serve
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.system.digests import ids_of


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_apart(code):
    """Runs code in a new process and returns which of the heavy packages it imported."""
    code += "\nimport sys; print([x for x in ('tensorflow', 'keras', 'numpy') if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["fit", "--help"],
        ["fit", "--bogus"],
        ["fit", "--data", "digits", "--backbone", "resnet5"],
        ["fit", "--data", "digits", "--batch-size", "0"],
        ["fit", "--config", "none.toml"],
        ["fit", "--weights", "none"],
        ["backbones"],
        ["backbones", "resnet50"],
    ],
)
def test_help_and_usage_errors_never_import_tensorflow(arguments):
    code = f"from tfxfer.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass"
    assert run_apart(code) == "[]"


def test_importing_the_package_is_light_and_its_verbs_are_there():
    assert run_apart("import tfxfer; tfxfer.FitConfig(); tfxfer.TfxferError") == "[]"
    assert callable(tfxfer.check)
    assert callable(tfxfer.fit)
    assert callable(tfxfer.evaluate)
    assert callable(tfxfer.predict)
    with pytest.raises(AttributeError, match="module 'tfxfer' has no attribute 'fitt'"):
        tfxfer.fitt  # noqa: B018


def option_names(config):
    return {option_of(key) for key in setting_keys(config)}


def test_every_setting_is_an_option_of_fit():
    options = {name for parameter in fit.params for name in parameter.opts}
    expected = option_names(FitConfig)
    assert expected <= options
    assert options - expected == {
        *("--config", "--resume", "--dry-run", "--unfreeze", "--batch-norm"),
    }


def test_every_setting_is_an_option_of_pretrain():
    options = {name for parameter in pretrain.params for name in parameter.opts}
    assert options == {*option_names(PretrainConfig), "--config", "--resume", "--dry-run"}
    assert {parameter.opts[0]: parameter for parameter in pretrain.params}["--epochs"].type is (
        click.INT
    )


def test_a_flag_that_is_not_given_leaves_the_recipes_word(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('data = "digits"\nbackbone = "resnet10_small"\ncompare_scratch = true\n')
    result = run("fit", "--config", recipe, "--dry-run", "--runs-dir", tmp_path)
    assert "comparison      with random weights, on the same images" in result.stdout
    plain = run("fit", "--data", "digits", "--backbone", "resnet10_small", "--dry-run")
    assert "comparison" not in plain.stdout


def test_a_path_that_is_not_utf_8_is_refused_at_once(tmp_path):
    code = "from tfxfer.cli import main; main()"
    command = [sys.executable, "-c", code, "fit", "--data", "digits", "--runs-dir", b"a\xffb"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"Error: Setting 'runs_dir' is 'a\\udcffb', which is not UTF-8")
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_options_have_the_type_of_their_field_and_show_its_default():
    options = {parameter.opts[0]: parameter for parameter in fit.params}
    assert options["--head-epochs"].type is click.INT
    assert options["--finetune-learning-rate"].type is click.FLOAT
    assert list(options["--head-pooling"].type.choices) == ["average", "max", "both", "flatten"]
    assert "[default: resnet50]" in options["--backbone"].help


def test_the_command_line_wins_over_the_recipe(tmp_path, pictures):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'data = "{pictures}"\nbackbone = "vgg16"\nweights = "none"\nbatch_size = 5\n'
        "[head]\nepochs = 3\n[finetune]\nepochs = 4\n"
    )
    result = run(
        *("fit", "--config", recipe, "--backbone", "MobileNet-025", "--head-epochs", 2),
        *("--head-hidden-units", 16, "--head-hidden-units", 8, "--dry-run"),
        *("--runs-dir", tmp_path / "runs", "--export-dir", tmp_path / "exports"),
    )
    assert result.exit_code == 0, result.output
    assert "mobilenet_025, random weights" in result.output
    assert "16 hidden units -> 8 hidden units" in result.output
    assert "phase head      2 epochs" in result.output
    assert "phase finetune  4 epochs" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipe.toml"]


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


def test_evaluate_prints_what_the_split_scores(finished):
    done, _ = finished
    result = run("evaluate", done.run)
    score = done.metrics["test"]
    assert result.exit_code == 0
    assert result.output.splitlines()[0].endswith(" test, 12 images")
    assert f"  accuracy          {score['accuracy']:.4f}  (" in result.output
    assert f"  log loss          {score['loss']:.4f}  (" in result.output
    result = run("evaluate", done.run / "none")
    assert result.exit_code == 2


def test_evaluate_prints_the_balanced_accuracy_where_classes_are_uneven(
    finished, pictures, tmp_path
):
    done, _ = finished
    folder = shutil.copytree(pictures, tmp_path / "data")
    for number in range(3):
        (folder / "test" / "red" / f"{number}.jpg").unlink()
    result = run("evaluate", done.run, "--data", folder)
    score = evaluate(done.run, data=str(folder))
    assert f"  balanced accuracy {score.balanced_accuracy:.4f}  (" in result.output
    assert "test, 9 images" in result.output


def test_predict_prints_a_line_for_each_file_and_reports_those_it_cannot_read(
    finished, pictures, tmp_path
):
    done, _ = finished
    good, bad = pictures / "test" / "red" / "0.jpg", tmp_path / "bad.jpg"
    bad.write_text("no image")
    result = run("predict", done.run, good, bad, "--top", 2)
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith(str(good))]
    assert len(line.split()) == 1 + 2 * 2
    assert f"Error: {bad}: " in result.stderr
    assert "1 of the 2 files could not be read" in result.stderr


def test_predict_takes_a_list_and_writes_what_machines_read(finished, pictures, tmp_path):
    done, _ = finished
    files = [pictures / "test" / name / "0.jpg" for name in ("red", "blue")]
    arguments = ["predict", str(done.export), "-", str(files[0]), "--top", "2"]
    listed = f"{files[1]}\n{tmp_path}/none.jpg\n"
    output = tmp_path / "found.csv"
    result = CliRunner().invoke(
        main, [*arguments, "--format", "csv", "--output", str(output)], input=listed
    )
    assert result.exit_code == 1
    assert f"Wrote '{output}', 3 files." in result.stdout
    assert f"Error: {tmp_path}/none.jpg: " in result.stderr
    assert "Error: 1 of the 3 files could not be read." in result.stderr
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [*map(str, files), f"{tmp_path}/none.jpg"]
    assert rows[0]["label_2"]
    result = CliRunner().invoke(main, [*arguments, "--format", "jsonl"], input="")
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["path"] == str(files[0])
    result = CliRunner().invoke(main, [*arguments, "--format", "parquet"], input="")
    assert (result.exit_code, "say which with --output" in result.output) == (2, True)


def test_export_publishes_a_version_and_says_how_to_serve_it(finished, tmp_path):
    done, _ = finished
    result = run("export", done.run, "--export-dir", tmp_path, "--name", "mine")
    assert result.exit_code == 0, result.output
    version = tmp_path / "mine" / "1"
    assert result.output.startswith(f"Published '{version}'.\n")
    assert how_to_serve(version) in result.output
    assert {path.name for path in version.iterdir()} == {
        "assets",
        "assets.extra",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    }


def test_export_refuses_what_is_not_accurate_enough_with_exit_code_1(finished, tmp_path):
    done, _ = finished
    shutil.copytree(done.run, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text('{"validation": {"accuracy": 0.5}}')
    result = run("export", tmp_path / "run", "--export-dir", tmp_path, "--min-accuracy", 0.9)
    assert result.exit_code == 1
    assert "on validation is 0.5000, below the 0.9 asked for (--min-accuracy)" in result.output
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
    assert f"accuracy {score}, the model's {score}, on 12 test images" in result.output
    for options in (
        ("--format", "onnx", "--keep", 3),
        ("--output", path),
        ("--quantization", "int8"),
    ):
        result = run("export", done.run, *options)
        assert result.exit_code == 2
        assert " goes with " in result.output


def test_backbones_lists_every_row_and_shows_one_with_its_stages():
    listed = run("backbones").output
    assert all(f"\n{name} " in listed for name in BACKBONES)
    shown = run("backbones", "resnet50").output
    assert "conv1, conv2, conv3, conv4, conv5" in shown
    assert "He et al. 2015" in shown
    assert run("backbones", "resnet5").exit_code == 2


def test_every_field_of_a_backbone_is_documented_for_the_eye():
    shown = run("backbones", "vgg16").output
    row = BACKBONES["vgg16"]
    for name in ("builder", "licence", "paper"):
        assert str(dataclasses.asdict(row)[name]) in shown


def test_the_version_is_printed():
    assert tfxfer.__version__ in run("--version").output


def test_the_cache_is_listed_and_cleared(tmp_path):
    rows, ids = np.zeros((2, 3), "float32"), ids_of([(b"a",), (b"b",)])
    about = {"what": "vgg16, 224 pixels"}
    Cache(tmp_path, 10**6).write("features", "a", ids, [rows], "float32", (3,), about)
    listed = run("cache", "--cache-dir", tmp_path)
    assert listed.exit_code == 0
    first, last = listed.stdout.splitlines()
    assert re.match(r"features +[\d.]+ \w+ +2 rows  used \d s ago  vgg16, 224 pixels$", first)
    assert re.match(rf"[\d.]+ \w+ in '{tmp_path}'. `tfxfer cache --clear` removes it.$", last)
    cleared = run("cache", "--clear", "--cache-dir", tmp_path)
    assert re.match(rf"Removed [\d.]+ \w+ from '{tmp_path}'.$", cleared.stdout)
    assert run("cache", "--cache-dir", tmp_path).stdout.startswith("0 bytes in")


def test_a_cache_that_is_not_there_yet_is_empty(tmp_path):
    assert run("cache", "--cache-dir", tmp_path / "none").stdout.startswith("0 bytes in")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "none", "--json", "nodir/x.json"], "there is no directory 'nodir'"),
        (["evaluate", "none", "--json", "."], "it is a directory"),
        (["evaluate", "m.keras", "--json", "m.keras"], "it is read for this"),
        (["check", "list.csv", "--json", "list.csv"], "it is read for this"),
        (["check", "digits", "--json", "m.keras/x.json"], "'m.keras' is not a directory"),
        (["predict", "none", "a.jpg", "--output", "nodir/x.csv"], "there is no directory 'nodir'"),
        (["predict", "none", "a.jpg", "--output", "a.jpg"], "it is read for this"),
        (["predict", "none", "-", "--output", "new/"], "it is a directory"),
    ],
)
def test_an_output_that_cannot_be_is_found_out_before_anything_else(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("m.keras", "list.csv", "a.jpg"):
        (tmp_path / name).touch()
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert all(path.stat().st_size == 0 for path in tmp_path.iterdir())


def test_a_result_that_cannot_be_written_in_the_end_is_printed(tmp_path):
    from tfxfer.cli.judging import _print_result

    for place, reason in (
        (tmp_path / "gone" / "x.json", "no directory"),
        ("/dev/full", "No space"),
    ):
        with pytest.raises(RunError, match=reason) as caught:
            _print_result("text", {"class": "кот"}, str(place))
        assert "printed instead" in str(caught.value)
        assert caught.value.exit_code == 1


def test_a_name_that_leads_elsewhere_publishes_nothing(finished, tmp_path):
    done, _ = finished
    for name in ("../outside", "my model", "", "/tmp/outside", "-x"):
        result = run("export", done.run, "--export-dir", tmp_path / "exports", "--name", name)
        assert result.exit_code == 2
        assert "Setting 'name' is " in result.output
    assert list(tmp_path.iterdir()) == []
