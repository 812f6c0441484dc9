import math

import numpy as np
import pytest

from tfxfer.errors import UsageError
from tfxfer.runs.search.rates import RangeTest, read_rates, write_rates
from tfxfer.system.run_layout import RunDirectory

RATES = np.geomspace(1e-6, 1.0, 61).tolist()


def valley(lowest):
    """Losses that fall to a rate and rise steeply after it."""
    return [1.0 - 0.1 * min(rate / lowest, 1) + max(0, rate / lowest - 1) for rate in RATES]


def test_the_smoothed_loss_is_the_average_of_all_steps_so_far():
    losses = [3.0, 1.0, 2.0]
    found = RangeTest.of(RATES[:3], losses)
    shares = [0.9**2, 0.9, 1.0]
    expected = sum(s * loss for s, loss in zip(shares, losses, strict=True)) / sum(shares)
    assert found.smoothed[0] == pytest.approx(3.0)
    assert found.smoothed[2] == pytest.approx(expected)


def test_the_rate_with_the_lowest_loss_is_suggested_as_smoothing_is_late():
    found = RangeTest.of(RATES, valley(1e-3))
    assert 1e-3 <= found.lowest <= 1e-2  # ten steps are a decade
    place = RATES.index(found.lowest)
    assert found.suggested == float(f"{RATES[place - 9]:.1e}")
    assert f"--finetune-learning-rate {found.suggested:g}" in found.sentence(0.25)
    assert "0.25" in found.sentence(0.25)


def test_a_loss_that_only_rises_suggests_nothing():
    found = RangeTest.of(RATES, [1 + rate for rate in RATES])
    assert found.lowest is None
    assert found.suggested is None
    assert "no suggestion" in found.sentence(0.25)


@pytest.mark.parametrize("last", [math.nan, math.inf, 1e4])
def test_it_has_diverged_where_the_loss_is_no_number_or_far_above_its_minimum(last):
    losses = valley(1e-2)[:30]
    assert not RangeTest.of(RATES[:30], losses).has_diverged
    found = RangeTest.of(RATES[:31], [*losses, last])
    assert found.has_diverged
    assert found.lowest == RATES[29]
    assert "diverged" in found.sentence(0.25)


def test_a_run_holds_it(tmp_path):
    run = RunDirectory(tmp_path)
    assert read_rates(run) is None
    found = RangeTest.of(RATES, valley(1e-3))
    write_rates(run, found)
    assert read_rates(run) == found
    assert run.rates in run.files


def test_a_file_of_something_else_is_an_error(tmp_path):
    run = RunDirectory(tmp_path)
    run.rates.write_text("rate\nhigh\n")
    with pytest.raises(UsageError, match=r"range test '.*rates\.csv'"):
        read_rates(run)
