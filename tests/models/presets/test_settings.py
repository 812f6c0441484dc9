"""Settings of a network in a file that may come from a stranger."""

import pytest
from messages import parts

from tfxfer.errors import UsageError
from tfxfer.models.presets.settings import (
    FLAG,
    checked_settings,
    one_of,
    whole_number,
    whole_numbers,
)

KINDS = {"widths": whole_numbers(64), "depth": whole_number(9), "block": one_of("a", "b")}


def checked(**found):
    return checked_settings(found, KINDS | {"flag": FLAG}, {"flag": False}, "'config.json'")


def test_what_fits_is_taken_with_defaults_and_without_what_tfxfer_decides():
    found = checked(
        widths=[8, 64], depth=9, block="b", name="x", trainable=False, image_shape=[None, None, 3]
    )
    assert found == {"widths": [8, 64], "depth": 9, "block": "b", "flag": False}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("widths", []),
        ("widths", [1] * 17),
        ("widths", [65]),
        ("widths", [0]),
        ("widths", [-3]),
        ("widths", [True]),
        ("widths", [8.0]),
        ("widths", 8),
        ("widths", "88"),
        ("widths", None),
        ("depth", 10),
        ("depth", "9"),
        ("depth", [9]),
        ("block", "c"),
        ("block", ["a"]),
        ("flag", 1),
        ("flag", {"class_name": "Lambda", "config": {}}),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, value):
    valid = {"widths": [8], "depth": 1, "block": "a"}
    with pytest.raises(UsageError, match=parts(f"'config.json' has ... for '{name}'; it must be")):
        checked(**valid | {name: value})


def test_a_missing_setting_is_named():
    with pytest.raises(UsageError, match="lacks the setting 'depth'"):
        checked(widths=[8], block="a")


def test_an_unknown_setting_is_refused_and_the_nearest_proposed():
    expected = "unknown setting 'dept' ... 'depth'? ... widths, depth, block, flag"
    with pytest.raises(UsageError, match=parts(expected)):
        checked(dept=1)


def test_long_values_are_shortened_in_messages():
    with pytest.raises(UsageError) as caught:
        checked(widths=[1] * 1000, depth=1, block="a")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("found", [None, [], "x", 3])
def test_settings_are_a_table(found):
    with pytest.raises(UsageError, match="must be a table"):
        checked_settings(found, KINDS, {}, "'config.json'")


@pytest.mark.parametrize("shape", [[None, None, 1], [None, None, 4], 3, [3], "3"])
def test_networks_of_other_inputs_than_rgb_images_are_refused(shape):
    with pytest.raises(UsageError, match="inputs of shape"):
        checked(widths=[8], depth=1, block="a", image_shape=shape)


@pytest.mark.parametrize("dtype", [{"class_name": "DTypePolicyMap"}, "int8", {"class_name": None}])
def test_quantized_networks_are_refused(dtype):
    with pytest.raises(UsageError, match="floating-point"):
        checked(widths=[8], depth=1, block="a", dtype=dtype)
