import numpy as np
import pytest
import scipy.stats

from tfxfer.evaluation.intervals import bootstrap_intervals, wilson_interval


def test_bootstrap_intervals_are_those_of_scipy():
    values = np.random.default_rng(0).normal(size=200)
    found = bootstrap_intervals(lambda chosen: {"mean": values[chosen].mean()}, 200, 2000)
    expected = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=1
    ).confidence_interval
    # Both are estimates: the ends of the interval, 0.27 wide, differ by what samples leave open.
    assert found["mean"] == pytest.approx(tuple(expected), abs=0.02)
    again = bootstrap_intervals(lambda chosen: {"mean": values[chosen].mean()}, 200, 2000)
    assert again == found


@pytest.mark.parametrize(("right", "count"), [(81, 263), (147, 153), (153, 153), (0, 7)])
def test_the_interval_of_a_share_is_that_of_scipy(right, count):
    expected = scipy.stats.binomtest(right, count).proportion_ci(method="wilson")
    found = wilson_interval(right / count, count)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-5)
