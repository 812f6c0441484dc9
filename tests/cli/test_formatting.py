"""What `--help` shows: options and commands under headings, defaults, examples."""

import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tfxfer.cli import main
from tfxfer.cli.formatting import Command
from tfxfer.cli.options import HEADINGS
from tfxfer.config.schema import GROUPS, FitConfig, PretrainConfig
from tfxfer.config.settings import option_of, setting_group, setting_keys


def helped(*arguments):
    """Returns the help of a command as a terminal of 80 columns shows it."""
    return CliRunner().invoke(main, [*arguments, "--help"], terminal_width=78).output


def sections(text):
    """Returns the indented lines below each heading."""
    found, heading = {}, ""
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            heading = line[:-1]
        elif line.startswith("  "):
            found.setdefault(heading, []).append(line)
    return found


@pytest.mark.parametrize(("command", "record"), [("fit", FitConfig), ("pretrain", PretrainConfig)])
def test_settings_are_shown_under_the_heading_of_their_group(command, record):
    shown = sections(helped(command))
    options = {
        heading: re.findall(r"(?m)^  (?:--[\w-]+, )?(--[\w-]+)", "\n".join(lines))
        for heading, lines in shown.items()
        if heading in HEADINGS
    }
    for key in setting_keys(record):
        (heading,) = [heading for heading, names in options.items() if option_of(key) in names]
        assert heading in ("Common options", f"{setting_group(record, key)} (advanced)"), key
    assert list(shown)[1] == "Common options"
    assert [heading for heading in shown if heading in HEADINGS] == [
        heading for heading in HEADINGS if heading in shown
    ]
    common = options["Common options"]
    assert common[:3] == ["--config", "--data", "--backbone"]
    assert common[-2:] == ["--resume", "--dry-run"]
    assert 8 <= len(common) <= 12


def test_every_setting_has_a_group():
    for record in (FitConfig, PretrainConfig):
        assert {setting_group(record, key) for key in setting_keys(record)} <= set(GROUPS)


def test_a_default_says_where_it_comes_from():
    text = " ".join(helped("fit").split())
    for option, default in {
        "--backbone": "resnet50",
        "--batch-size": "from the data",
        "--train-examples": "all",
        "--head-penalty": "chosen on validation",
        "--seed": "0",
    }.items():
        assert re.search(rf"{option} [^\[]+\[default: {default}\]", text), option
    assert "--dry-run shows them" in text


def test_commands_are_grouped_and_their_descriptions_fit_their_lines():
    text = helped()
    shown = sections(text)
    assert "Commands" not in shown
    listed = [line.split()[0] for lines in shown.values() for line in lines]
    assert [name for name in listed if name in main.commands] == [
        *("check", "rank", "fit", "backbones", "pretrain"),
        *("evaluate", "report", "predict", "label-next", "demo", "export", "cache"),
    ]
    assert "..." not in text.partition("\n")[2]  # below "COMMAND [ARGS]..."
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", ["", *main.commands])
def test_help_ends_with_examples_that_parse(name):
    command = main.commands[name] if name else main
    shown = sections(helped(*([name] if name else [])))
    assert list(shown)[-1] == "Examples"
    assert [line.strip() for line in shown["Examples"]] == list(command.examples)
    assert len(command.examples) == 2
    for example in command.examples:
        program, verb, *arguments = shlex.split(example)
        assert program == "tfxfer"
        assert name in ("", verb)
        assert len(example) <= 76
        target = main.commands[verb]
        with click.Context(target, info_name=verb) as context:
            target.parse_args(context, arguments)


def test_an_option_without_a_heading_of_the_command_is_shown_as_other():
    @click.command(cls=Command, headings=("First",))
    @click.option("--plain", help="A plain one.")
    def made(plain):
        pass

    text = CliRunner().invoke(made, ["--help"]).output
    assert list(sections(text)) == ["Options"]
    assert "A plain one." in text


def test_the_shell_completes_commands_and_options():
    environment = {"COMP_WORDS": "tfxfer fit --fine", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", "from tfxfer.cli import main; main(prog_name='tfxfer')"],
        env={**os.environ, **environment, "_TFXFER_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "plain,--finetune-epochs" in done.stdout.split()
