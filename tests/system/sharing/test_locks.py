"""Locks of files, on any system."""

import builtins
import importlib.util
import sys

from tfxfer.system.sharing import locks
from tfxfer.system.sharing.locks import take_lock


def test_only_one_of_two_open_files_has_the_lock(tmp_path):
    path = tmp_path / ".lock"
    with path.open("a+") as first, path.open("a+") as second:
        assert take_lock(first)
        assert not take_lock(second)
        assert not take_lock(second, shared=True)
    with path.open("a+") as third:
        assert take_lock(third)


def test_the_module_is_imported_where_there_is_no_fcntl(monkeypatch):
    real = builtins.__import__

    def without_fcntl(name, *args, **kwargs):
        if name == "fcntl":
            raise ModuleNotFoundError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "fcntl", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_fcntl)
    spec = importlib.util.spec_from_file_location("again", locks.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert again.fcntl is None
