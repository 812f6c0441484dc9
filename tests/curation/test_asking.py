"""Settings of an examination are checked before any work."""

import pytest
from command_line import run_apart
from conftest import SMALL_BACKBONE
from messages import parts

from tfxfer.config.schema import FitConfig
from tfxfer.curation.asking import EXAMINATION_SETTINGS, asked_examination
from tfxfer.errors import UsageError

DIGITS = FitConfig(data="digits")


def test_without_a_backbone_there_is_no_examination():
    assert asked_examination(DIGITS, None, {}) is None


def test_settings_are_those_of_a_fit(weights_file):
    settings = {"weights": str(weights_file), "image_size": 48, "seed": 3}
    asked = asked_examination(DIGITS, SMALL_BACKBONE, settings)
    assert (asked.backbone, asked.image_size, asked.seed) == (SMALL_BACKBONE, 48, 3)
    assert asked.data == "digits"


@pytest.mark.parametrize(
    ("backbone", "settings", "manifest", "message"),
    [
        (None, {"image_size": 48}, None, "--image-size needs --backbone"),
        (None, {}, "a.csv", "--write-manifest needs --backbone"),
        ("smal", {}, None, "Unknown backbone 'smal'. ... Did you mean 'small'?"),
        ("small", {"batchsize": 1}, None, "Unknown setting 'batchsize'. Did you mean 'batch_size'"),
        ("small", {"effort": "quick"}, None, "'effort' has no effect on a check ... image_size"),
        ("small", {"weights": "none", "image_size": 16}, None, "image_size' is 16 ... at least 32"),
        ("small", {"weights": "gone.h5"}, None, "gone.h5"),
        ("small", {"weights": "none"}, "a.txt", "'a.txt': its name must end in .csv"),
        ("small", {"weights": "none"}, "/gone/a.csv", "Cannot write '/gone/a.csv'"),
    ],
)
def test_what_makes_no_sense_is_refused(backbone, settings, manifest, message):
    with pytest.raises(UsageError, match=parts(message)):
        asked_examination(DIGITS, backbone, settings, manifest)


def test_a_page_needs_a_backbone_and_a_folder():
    with pytest.raises(UsageError, match="--output needs --backbone"):
        asked_examination(DIGITS, None, {}, page="check.html")
    with pytest.raises(UsageError, match="Cannot write '/gone/check.html'"):
        asked_examination(DIGITS, SMALL_BACKBONE, {"weights": "none"}, page="/gone/check.html")


def test_every_setting_of_it_is_one_of_a_fit():
    for name in EXAMINATION_SETTINGS:
        DIGITS.get(name)


def test_nothing_heavy_is_imported():
    assert run_apart("import tfxfer.curation.asking") == "[]"
