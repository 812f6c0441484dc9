import importlib.util
import sys

import tfxfer.models.foreign.kerashub as kerashub


def test_the_folder_is_found_without_an_import(monkeypatch):
    found = kerashub.installed_folder()
    spec = importlib.util.find_spec("keras_hub")
    assert (found is None) == (spec is None)
    if found is not None:
        assert (found / "src" / "models").is_dir()
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    assert kerashub.installed_folder() is None
