"""`demo`, in a process of its own."""

import dataclasses
import shutil
import signal
import sys

import numpy as np
import pytest
from demo_server import open_demo

from tfxfer.api.demo import demo, what_is_shown
from tfxfer.errors import UsageError
from tfxfer.inference.loading import load


def test_without_gradio_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UsageError, match=r"pip install 'tfxfer\[demo\]'"):
        demo(tmp_path)


def test_a_run_is_shown_with_its_data_where_they_are_available(finished, tmp_path):
    shutil.copytree(finished[0].run, tmp_path / "colors")
    notes = []
    shown = what_is_shown(load(tmp_path / "colors"), notes.append)
    assert shown.title == "colors"
    assert None not in (shown.nearest, shown.corrections)
    assert notes == []
    splits = tmp_path / "colors" / "splits.csv"
    splits.write_text(splits.read_text().replace("pictures0", "moved"))
    places = tmp_path / "colors" / "places.json"
    places.write_text("{}")
    config = tmp_path / "colors" / "config.toml"
    config.write_text(config.read_text().replace("pictures0", "moved"))
    shown = what_is_shown(load(tmp_path / "colors"), notes.append)
    assert shown.nearest is None
    assert shown.corrections.command() == ""
    (note,) = notes
    assert "no examples" in note
    assert "have moved" in note


def test_a_model_of_several_labels_is_shown_without_what_needs_one_class(finished):
    trained = load(finished[0].run)
    outputs = dataclasses.replace(trained.outputs, thresholds=np.full(3, 0.5))
    several = dataclasses.replace(trained, outputs=outputs)
    notes = []
    shown = what_is_shown(several, notes.append)
    assert (list(shown.mistakes), shown.nearest, shown.corrections) == ([], None, None)
    (note,) = notes
    assert "multi-label" in note


@pytest.mark.slow
def test_an_export_is_shown_without_corrections_until_it_is_ended(finished, paths):
    done, _ = finished
    with open_demo(done.export) as shown:
        assert shown.said.count("\n") == 1
        status, text = shown.get()
        assert status == 200
        assert "Save as correction" not in text
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
