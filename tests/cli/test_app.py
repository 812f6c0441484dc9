"""What all commands share: they start at once, errors are one line, the exit code."""

import subprocess
import sys

import pytest
from command_line import run, run_apart

import tfxfer


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


def test_a_process_that_ends_collects_no_garbage_first():
    code = (
        "import atexit, gc, sys\nfrom tfxfer.cli import main\nsys.argv = ['tfxfer', '--version']\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_the_version_is_printed():
    assert tfxfer.__version__ in run("--version").output
