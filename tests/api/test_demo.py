"""`demo`, in a process of its own."""

import shutil
import signal
import sys

import pytest
from demo_server import open_demo

from tfxfer.api.demo import demo
from tfxfer.errors import UsageError


def test_without_gradio_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UsageError, match=r"pip install 'tfxfer\[demo\]'"):
        demo(tmp_path)


@pytest.mark.slow
def test_an_export_is_shown_without_corrections_until_it_is_ended(finished, paths):
    done, _ = finished
    with open_demo(done.export) as shown:
        assert shown.said.count("\n") == 1
        status, text = shown.get()
        assert status == 200
        assert "Keep as a correction" not in text
        classes, *_ = shown.answer(paths[0].read_bytes())
        assert paths[0].parent.name in classes
        code, _, rest = shown.end(signal.SIGTERM)
        assert code == 143
        assert rest == "The demo has ended.\n"


@pytest.mark.slow
def test_others_on_the_network_need_the_token(finished, tmp_path):
    shutil.copytree(finished[0].run, tmp_path / "colors")
    with open_demo(tmp_path / "colors", "--host", "0.0.0.0") as shown:
        assert "not encrypted" in shown.said
        address, _, token = shown.url.partition("?")
        shown.url = f"http://127.0.0.1:{address.rstrip('/').rpartition(':')[2]}/"
        for path in ("", "config", "gradio_api/info", "gradio_api/upload", "?token=wrong"):
            assert shown.get(path)[0] == 403
        cookie = f"tfxfer_demo={token.partition('=')[2]}"
        assert shown.get(Cookie=cookie)[0] == 200
