"""What TensorFlow prints as it is imported is shown only where that fails."""

import subprocess
import sys

import pytest


def written_to_stderr(code):
    """Returns what a new process writes to standard error that does this while it imports."""
    script = (
        f"import os\nfrom tfxfer.cli.quiet import quiet_import\nwith quiet_import():\n    {code}"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr


@pytest.mark.slow
def test_notices_of_native_code_are_kept_off_the_screen():
    assert written_to_stderr("os.write(2, b'a notice')") == ""


@pytest.mark.slow
def test_notices_are_shown_where_the_import_fails():
    shown = written_to_stderr("os.write(2, b'a notice'); raise ImportError('broken')")
    assert "a notice" in shown
    assert shown.endswith("ImportError: broken\n")
