"""What there is: backbones, and what the cache keeps."""

import dataclasses
import re

import numpy as np
from command_line import run

from tfxfer.data.cache import Cache
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.system.digests import ids_of


def test_backbones_lists_every_row_and_shows_one_with_its_stages():
    listed = run("backbones").output
    assert all(f"\n{name} " in listed for name in BACKBONES)
    shown = run("backbones", "resnet50").output
    assert "conv1, conv2, conv3, conv4, conv5" in shown
    assert "He et al. 2015" in shown
    assert run("backbones", "resnet5").exit_code == 2


def test_every_field_of_a_backbone_is_documented_for_the_eye():
    shown = run("backbones", "vgg16").output
    row = BACKBONES["vgg16"]
    for name in ("builder", "licence", "paper"):
        assert str(dataclasses.asdict(row)[name]) in shown


def test_the_cache_is_listed_and_cleared(tmp_path):
    rows, ids = np.zeros((2, 3), "float32"), ids_of([(b"a",), (b"b",)])
    about = {"what": "vgg16, 224 pixels"}
    Cache(tmp_path, 10**6).write("features", "a", ids, [rows], "float32", (3,), about)
    listed = run("cache", "--cache-dir", tmp_path)
    assert listed.exit_code == 0
    first, last = listed.stdout.splitlines()
    assert re.match(r"features +[\d.]+ \w+ +2 rows  used \d s ago  vgg16, 224 pixels$", first)
    assert re.match(rf"[\d.]+ \w+ in '{tmp_path}'. `tfxfer cache --clear` removes it.$", last)
    cleared = run("cache", "--clear", "--cache-dir", tmp_path)
    assert re.match(rf"Removed [\d.]+ \w+ from '{tmp_path}'.$", cleared.stdout)
    assert run("cache", "--cache-dir", tmp_path).stdout.startswith("0 bytes in")


def test_a_cache_that_is_not_there_yet_is_empty(tmp_path):
    assert run("cache", "--cache-dir", tmp_path / "none").stdout.startswith("0 bytes in")
