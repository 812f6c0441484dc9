"""The process of the page, as that of the model sees it."""

import contextlib
import os
import signal
import sys
import time

import pytest

from tfxfer.errors import InterruptionError, RunError, UsageError
from tfxfer.showing.layout import Layout
from tfxfer.showing.process import check_gradio, open_page

LAYOUT = Layout("colors", "", "", can_explain=False)


@pytest.fixture
def gradio(tmp_path, monkeypatch):
    """Writes a program that is imported in place of Gradio."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "fastapi.py").touch()  # which comes with it
    return tmp_path / "gradio.py"


def test_a_gradio_that_cannot_be_used_is_told(gradio):
    gradio.write_text("raise ImportError('of\\nanother version')")
    with (
        pytest.raises(RunError, match="ImportError: of another version.*pip install") as caught,
        open_page("127.0.0.1", 0) as page,
    ):
        page.show(LAYOUT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("program", "how"),
    [("os._exit(3)", "exit code 3"), ("os.kill(os.getpid(), 9)", "signal 9")],
)
def test_a_page_that_ends_by_itself_is_told(gradio, program, how):
    gradio.write_text(f"import os\n{program}")
    with pytest.raises(RunError, match=how), open_page("127.0.0.1", 0) as page:
        page.show(LAYOUT)


def test_a_signal_ends_it_and_what_was_uploaded(gradio):
    gradio.write_text(
        "import os, pathlib, time\n"
        "(pathlib.Path(os.environ['GRADIO_TEMP_DIR']) / 'upload').touch()\n"
        "pathlib.Path(__file__).with_name('told').write_text(os.environ['GRADIO_TEMP_DIR'])\n"
        "time.sleep(600)"
    )
    told = gradio.with_name("told")
    with pytest.raises(InterruptionError, match="ended") as caught, open_page("localhost", 0):
        deadline = time.monotonic() + 60
        while not (told.is_file() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == 143
    assert not os.path.exists(told.read_text())


def test_a_signal_that_a_library_caught_ends_it_too(gradio):
    gradio.write_text("import time\ntime.sleep(600)")
    with pytest.raises(InterruptionError), open_page("127.0.0.1", 0) as page:
        with contextlib.suppress(InterruptionError):
            os.kill(os.getpid(), signal.SIGTERM)  # SIGINT is ignored in the background
        page.show(LAYOUT)


def test_without_gradio_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UsageError, match=r"pip install 'tfxfer\[demo\]'"):
        check_gradio()
