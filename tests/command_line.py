"""Runs the command line in tests."""

import subprocess
import sys

from click.testing import CliRunner

from tfxfer.cli.app import main


def run(*arguments, **options):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], **options)


def run_apart(code):
    """Runs code in a new process and returns which of the heavy packages it imported."""
    code += "\nimport sys; print([x for x in ('tensorflow', 'keras', 'numpy') if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]
