"""What `cache` lists and clears."""

import re

import numpy as np
from command_line import run

from tfxfer.data.cache import Cache
from tfxfer.system.digests import ids_of


def test_the_cache_is_listed_and_cleared(tmp_path):
    rows, ids = np.zeros((2, 3), "float32"), ids_of([(b"a",), (b"b",)])
    about = {"what": "vgg16, 224 pixels"}
    Cache(tmp_path, 10**6).write("features", "a", ids, [rows], "float32", (3,), about)
    about = {"what": "files in '/caf\udce9'"}
    Cache(tmp_path, 10**6).write("digests", "b", ids, [rows], "float32", (3,), about)
    listed = run("cache", "--cache-dir", tmp_path)
    assert listed.exit_code == 0
    files, first, last = listed.stdout.splitlines()
    assert re.match(r"digests +[\d.]+ \w+ +2 files   used \d s ago  files in '/caf", files)
    assert re.match(r"features +[\d.]+ \w+ +2 images  used \d s ago  vgg16, 224 pixels$", first)
    assert re.match(rf"[\d.]+ \w+ in '{tmp_path}'. `tfxfer cache --clear` removes it.$", last)
    cleared = run("cache", "--clear", "--cache-dir", tmp_path)
    assert re.match(rf"Removed [\d.]+ \w+ from '{tmp_path}'.$", cleared.stdout)
    assert run("cache", "--cache-dir", tmp_path).stdout.startswith("0 bytes in")


def test_a_cache_that_is_not_there_yet_is_empty(tmp_path):
    assert run("cache", "--cache-dir", tmp_path / "none").stdout.startswith("0 bytes in")
