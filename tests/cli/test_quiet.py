"""What TensorFlow prints as it is imported is shown only where that fails."""

import os
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


def test_what_libraries_write_is_hidden_and_what_python_writes_is_shown():
    script = (
        "import os, sys\nfrom tfxfer.cli.quiet import quiet_libraries\n"
        "with quiet_libraries():\n    os.write(2, b'native')\n    print('said', file=sys.stderr)\n"
        "os.write(2, b'after')\nprint('wards', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == "said\nafterwards\n"
    verbose = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=verbose
    )
    assert done.stderr == "nativesaid\nafterwards\n"


@pytest.mark.slow
def test_what_keras_could_do_without_is_imported_only_where_it_is_needed():
    code = (
        "import sys\nfrom tfxfer.cli.quiet import quiet_import\n"
        "with quiet_import():\n    import keras, tfxfer.api.fit\n"
        "print([name for name in ('pandas', 'sklearn') if name in sys.modules])\n"
        "import sklearn.datasets\nprint(len(sklearn.datasets.load_digits().target))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n") == ["[]", "1797", ""], done.stderr


@pytest.mark.slow
def test_what_an_import_makes_is_not_looked_at_for_garbage():
    code = (
        "import gc\nfrom tfxfer.cli.quiet import quiet_import\n"
        "for _ in range(2):\n    with quiet_import():\n        print(gc.isenabled())\n"
        "    print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n")[:-1] == ["False", "True True", "True", "True True"], done.stderr
