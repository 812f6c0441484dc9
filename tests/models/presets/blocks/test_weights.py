"""Weights of opened networks."""

import shutil

import h5py
import numpy as np
import pytest
from messages import parts
from presets import needs_kerashub, saved_preset

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.weights import load_backbone

pytestmark = [pytest.mark.slow, needs_kerashub]

PLACE = "layers/conv_bn_act_block/conv/vars/0"


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return saved_preset(tmp_path_factory.mktemp("presets") / "net", "mobilenet")


@pytest.mark.parametrize(
    ("change", "reason"), [(None, "the file none"), (np.zeros((1, 1, 24, 8)), "(1, 1, 24, 8)")]
)
def test_arrays_that_do_not_fit_are_named(change, reason, preset, tmp_path):
    folder = shutil.copytree(preset, tmp_path / "net")
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file[PLACE]
        if change is not None:
            file[PLACE] = change
    with pytest.raises(WeightsError, match=parts(f"'{PLACE}' ... {reason}")):
        load_backbone(find_backbone(f"kerashub:{folder}"), 64)


def test_links_out_of_the_file_are_not_followed(preset, tmp_path):
    folder = shutil.copytree(preset, tmp_path / "net")
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file[PLACE]
        file[PLACE] = h5py.ExternalLink(str(preset / "model.weights.h5"), PLACE)
    with pytest.raises(WeightsError, match="the file none"):
        load_backbone(find_backbone(f"kerashub:{folder}"), 64)


def test_weights_of_a_finished_run_are_loaded_by_name(preset, tmp_path):
    backbone = find_backbone(f"kerashub:{preset}")
    model = load_backbone(backbone, 64)
    model.save(tmp_path / "mine.keras")
    again = load_backbone(backbone, 64, str(tmp_path / "mine.keras"))
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
