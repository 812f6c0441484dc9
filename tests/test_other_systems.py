"""What the library needs of the operating system, found out on any of them."""

import pathlib
import subprocess
import sys

import pytest

import tfxfer

# Modules of Python that systems other than Unix lack.
UNIX_ONLY = ("fcntl", "pwd", "grp", "resource", "termios")

# They may not be installed.
OF_EXTRAS = ("fastapi", "gradio")

ROOT = pathlib.Path(tfxfer.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if path.name != "__init__.py"
)


def run_without_unix(code):
    """Runs code in a new process in which these modules cannot be imported."""
    blocked = f"import sys\nfor name in {UNIX_ONLY!r}: sys.modules[name] = None\n"
    return subprocess.run(
        [sys.executable, "-c", blocked + code], capture_output=True, text=True, timeout=300
    )


def test_the_command_line_answers_without_the_modules_of_unix():
    code = "from tfxfer.cli import main\nmain(['fit', '--data', 'digits', '--weights', 'none.h5'])"
    done = run_without_unix(code)
    assert done.stderr.startswith("Error: There is no weights file 'none.h5'.")
    assert done.returncode == 2


def test_a_run_is_locked_without_the_modules_of_unix(tmp_path):
    code = (
        "import pathlib\n"
        "from tfxfer.runs.lock import locked\n"
        "from tfxfer.system.run_layout import RunDirectory\n"
        f"run = RunDirectory(pathlib.Path({str(tmp_path / 'run')!r}))\n"
        "with locked(run):\n"
        "    print(run.lock.read_text())\n"
    )
    done = run_without_unix(code)
    assert (done.returncode, done.stdout[:8]) == (0, "process ")
    assert "no file locks" in done.stderr


@pytest.mark.slow
def test_every_module_is_imported_without_the_modules_of_unix():
    done = run_without_unix(f"""
import importlib
for name in {MODULES!r}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in {OF_EXTRAS!r}:
            raise
""")
    assert done.returncode == 0, done.stderr
