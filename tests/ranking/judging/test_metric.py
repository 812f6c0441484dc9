"""What each kind of labels is ranked by."""

import pytest

from tfxfer.data.labels.kinds import MULTI_LABEL, MULTI_TASK, NUMERIC
from tfxfer.ranking.judging.metric import ACCURACY, METRICS


@pytest.mark.parametrize("kind", ["", MULTI_LABEL, MULTI_TASK])
def test_shares_are_better_where_they_are_higher(kind):
    metric = METRICS[kind]
    assert metric.goodness(0.9) > metric.goodness(0.8)
    assert metric.shown(0.91234) == "0.9123"
    assert metric.interval_shown((0.9, 0.95)) == "0.900 to 0.950"


def test_an_error_is_better_where_it_is_lower():
    metric = METRICS[NUMERIC]
    assert metric.goodness(2.0) > metric.goodness(3.0)
    assert metric.shown(1234.5678) == "1,235"
    assert len({one.key for one in METRICS.values()}) == 4
    assert max(len(one.short) for one in METRICS.values()) <= 8
    assert METRICS[""] is ACCURACY
