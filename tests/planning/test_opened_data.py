"""Checks of the opened data, before a run is created."""

import pytest
from conftest import small_config
from messages import parts

from tfxfer.data.opening import open_source
from tfxfer.errors import UsageError
from tfxfer.planning.opened_data import check_number_of_images


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 31}, "31 folds ... only 30 for training and validation"),
        ({"unknown": True}, "half of the 9 validation images ... rate of 0.05 ... at least 19"),
        ({"unknown": True, "unknown_rate": 0.2, "coverage": 0.95}, "0.95 need at least 19"),
    ],
)
def test_too_few_are_refused(pictures, weights_file, tmp_path, settings, message):
    config = small_config(pictures, weights_file, tmp_path, **settings)
    with pytest.raises(UsageError, match=parts(message)):
        check_number_of_images(config, open_source(config))


def test_enough_are_not(pictures, weights_file, tmp_path):
    settings = {"folds": 30, "unknown": True, "unknown_rate": 0.2, "coverage": 0.8}
    config = small_config(pictures, weights_file, tmp_path, **settings)
    check_number_of_images(config, open_source(config))
