"""The examples of a demo."""

import csv
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import divided
from tfxfer.data.seen import without_seen
from tfxfer.data.sources.digits import open_digits
from tfxfer.inference.loading import load
from tfxfer.showing.images.mistakes import MOST_MISTAKES, most_confident_mistakes
from tfxfer.system.run_layout import RunDirectory

COLUMNS = ["image", "label", "predicted", "confidence", "label_probability"]


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run."""
    shutil.copytree(finished[0].run, tmp_path / "colors")
    return RunDirectory(tmp_path / "colors")


def write(run, rows):
    with run.predictions.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def test_the_most_confident_mistakes_are_the_examples(run, paths):
    source = load(run.path).open_source()
    order = np.random.default_rng(0).permutation(len(paths))
    rows = [
        (path, path.parent.name, "other", f"{rank / 20:.6f}", 0)
        for rank, path in zip(order, paths, strict=True)
    ]
    right = (paths[0].parent / "right.jpg", "red", "red", "1.000000", 1)
    gone = (paths[0].parent / "gone.jpg", "red", "other", "0.990000", 0)
    write(run, [right, gone, *rows])
    expected = [paths[index] for index in np.argsort(-order)[:MOST_MISTAKES]]
    found = most_confident_mistakes(run, source)
    assert [mistake.content for mistake in found] == [path.read_bytes() for path in expected]
    assert [mistake.label for mistake in found] == [path.parent.name for path in expected]


def test_without_mistakes_there_are_no_examples(run):
    source = load(run.path).open_source()
    write(run, [])
    assert most_confident_mistakes(run, source) == []
    run.predictions.unlink()
    assert most_confident_mistakes(run, source) == []


def test_pixels_become_files(tmp_path):
    run, source = RunDirectory(tmp_path), without_seen(divided(open_digits(), FitConfig()), None)
    split = source.splits["test"]
    write(run, [(split.describe(3), "1", "2", "0.9", 0)])
    (mistake,) = most_confident_mistakes(run, source)
    (pixels,) = split.select(np.array([3])).open_images()
    np.testing.assert_array_equal(tf.io.decode_png(mistake.content), pixels)
