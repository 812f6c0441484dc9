"""The JSON files of a preset."""

import json

import numpy as np
import pytest
from messages import parts
from presets import TORCH_SCALING, written_preset

from tfxfer.errors import UsageError
from tfxfer.models.backbones.pixels import SCALINGS
from tfxfer.models.preprocessing import normalize
from tfxfer.models.presets.files import CONVERTER, read_scaling


def scaling(folder, **converter):
    return read_scaling(written_preset(folder, converter=converter) / CONVERTER)


def test_scale_offset_and_size_are_read(tmp_path):
    found, size = scaling(tmp_path)
    assert size == 64
    assert found.scale == pytest.approx(SCALINGS["torch"].scale)
    assert found.offset == pytest.approx(SCALINGS["torch"].offset)
    assert "0.0171248" in found.short
    image = np.linspace(0, 255, 48, dtype="float32").reshape(1, 4, 4, 3)
    ours, theirs = np.array(normalize(found, image)), np.array(normalize("torch", image))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_single_numbers_are_for_all_channels(tmp_path):
    found, _ = scaling(tmp_path, scale=1 / 127.5, offset=-1)
    assert (found.scale, found.offset) == (1 / 127.5, -1.0)


def test_nothing_is_scaled_by_default(tmp_path):
    found, _ = scaling(tmp_path, scale=None, offset=None)
    assert not found.changes_pixels


def test_older_files_have_mean_variance_height_and_width(tmp_path):
    older = {
        "scale": 1 / 255,
        "offset": None,
        "image_size": None,
        "height": 96,
        "width": 96,
        "mean": [0.485, 0.456, 0.406],
        "variance": [0.229**2, 0.224**2, 0.225**2],
    }
    found, size = scaling(tmp_path, **older)
    assert size == 96
    assert found.scale == pytest.approx(TORCH_SCALING["scale"])
    assert found.offset == pytest.approx(TORCH_SCALING["offset"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", "0.5"),
        ("scale", [1, 2]),
        ("scale", [1, 2, float("nan")]),
        ("scale", float("inf")),
        ("scale", [[1], [2], [3]]),
        ("offset", True),
        ("offset", {"class_name": "Lambda"}),
        ("image_size", [64, 32]),
        ("image_size", [64]),
        ("image_size", [0, 0]),
        ("image_size", [10**9, 10**9]),
        ("image_size", None),
        ("image_size", 64),
        ("image_size", ["64", "64"]),
    ],
)
def test_other_values_are_refused(tmp_path, name, value):
    word = "image size" if name == "image_size" else f"'{name}'"
    with pytest.raises(
        UsageError, match=parts(f"{CONVERTER}' has ... {word}" if "'" not in word else word)
    ):
        scaling(tmp_path, **{name: value})


def test_a_variance_is_positive(tmp_path):
    with pytest.raises(UsageError, match="not positive"):
        scaling(tmp_path, mean=[0, 0, 0], variance=[1, 0, 1])


def test_a_preset_without_its_converter_is_refused(tmp_path):
    path = written_preset(tmp_path) / CONVERTER
    path.unlink()
    with pytest.raises(UsageError, match=parts("how its pixels are scaled ... save_to_preset")):
        read_scaling(path)


def test_files_are_written_as_kerashub_does(tmp_path):
    found = json.loads((written_preset(tmp_path) / CONVERTER).read_text())
    assert set(found["config"]) == {"image_size", "scale", "offset"}
