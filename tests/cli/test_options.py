"""Every setting is an option, and options override recipes."""

import subprocess
import sys

import click
from command_line import run

from tfxfer.cli.fitting import fit, pretrain
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.config.settings import option_of, setting_keys


def option_names(config):
    return {option_of(key) for key in setting_keys(config)}


def test_every_setting_is_an_option_of_fit():
    options = {name for parameter in fit.params for name in parameter.opts}
    expected = option_names(FitConfig)
    assert expected <= options
    assert options - expected == {
        *("--config", "--resume", "--dry-run", "--unfreeze", "--batch-norm"),
        *("--encoding", "--vectors", "--profile"),
        *("--distributed", "--coordinator", "--coordinator-seconds"),
        *("--num-processes", "--process-id"),
    }


def test_every_setting_is_an_option_of_pretrain():
    options = {name for parameter in pretrain.params for name in parameter.opts}
    names = {"--config", "--resume", "--dry-run", "--encoding", "--vectors", "--profile"}
    assert options == {*option_names(PretrainConfig), *names}
    assert {parameter.opts[0]: parameter for parameter in pretrain.params}["--epochs"].type is (
        click.INT
    )


def test_a_flag_that_is_not_given_leaves_the_recipes_word(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('data = "digits"\nbackbone = "resnet10_small"\ncompare_scratch = true\n')
    result = run("fit", "--config", recipe, "--dry-run", "--runs-dir", tmp_path)
    assert "\ncomparison " in result.stdout
    assert "random weights" in result.stdout
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
    assert "head phase      Adam, 2 epochs" in result.output
    assert "finetune phase  AdamW, 4 epochs" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipe.toml"]
