"""Features, suspects and the manifest, from a folder of images."""

import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from ranked import Passes, register

from tfxfer.config.schema import FitConfig
from tfxfer.curation.examining import examine
from tfxfer.curation.gallery import gallery_of
from tfxfer.data.checks.examples import Examples
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.opening import open_as_it_is
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.weights import load_backbone


@pytest.fixture
def settings(tmp_path, monkeypatch, weights_file):
    register(monkeypatch, tmp_path / "home", weights_file)
    return {"backbone": "small_a", "image_size": 32, "cache_dir": str(tmp_path / "cache")}


def examples_of(folder):
    return Examples.of(open_as_it_is(str(folder)))


@pytest.mark.slow
def test_features_are_those_of_each_image_in_the_order_of_the_examples(pictures, settings):
    gallery = gallery_of(examples_of(pictures), FitConfig(data=str(pictures), **settings))
    assert gallery.features.shape == (42, 64)
    assert gallery.numbers.tolist() == list(range(42))
    assert np.bincount(gallery.splits).tolist() == [21, 9, 12]
    # Directly, one image after the other.
    network = load_backbone(BACKBONES["small_a"], 32, BACKBONES["small_a"].weights_name)
    source = open_as_it_is(str(pictures))
    paths = [split.describe(n) for split in source.splits.values() for n in range(len(split))]
    for number in (0, 13, 24, 41):
        content = pathlib.Path(paths[number]).read_bytes()
        image = decode_and_resize(content, 32, portable=False)[None]
        maps = network(tf.cast(image, tf.float32) / 127.5 - 1, training=False)
        expected = tf.reduce_mean(maps, axis=(1, 2))[0]
        np.testing.assert_allclose(gallery.features[number], expected, atol=1e-5)


@pytest.mark.slow
def test_features_are_shared_with_a_ranking(pictures, settings, monkeypatch):
    from tfxfer.api.rank import rank

    passes = Passes(monkeypatch)
    asked = {"image_size": 32, "cache_dir": settings["cache_dir"], "say": lambda _: None}
    rank("small_a", data=str(pictures), **asked)
    assert passes.since() == 30
    examine(examples_of(pictures), FitConfig(data=str(pictures), **settings))
    assert passes.since() == 12  # the test images, which a ranking leaves alone


@pytest.mark.slow
def test_an_image_in_the_folder_of_another_class_is_the_suspect(pictures, settings, tmp_path):
    shutil.copytree(pictures, tmp_path / "photos")
    moved = tmp_path / "photos" / "train" / "blue" / "moved.jpg"
    os.rename(tmp_path / "photos" / "train" / "red" / "3.jpg", moved)
    (tmp_path / "photos" / "train" / "blue" / "0.jpg").write_bytes(b"no image")
    examples = examples_of(tmp_path / "photos")
    found = examine(examples, FitConfig(data=str(tmp_path / "photos"), **settings))
    assert found.findings.num_images == 41
    (suspect,) = found.findings.suspects
    assert suspect.path == str(moved)
    assert (suspect.given, suspect.suggested) == ("blue", "red")
    assert suspect.score < 0.2
    column = found.suspect_column()
    assert {name: len(words) for name, words in column.items()} == {
        "train": 21,
        "validation": 9,
        "test": 12,
    }
    assert [word for words in column.values() for word in words if word] == ["red"]
    place = column["train"].index("red")
    assert examples.source.splits["train"].describe(place) == str(moved)
