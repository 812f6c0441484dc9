import time

import pytest

from tfxfer.runs.budget import Budget, affordable_epochs


def test_the_time_of_earlier_attempts_counts():
    budget = Budget(1.0, used=59.95)
    assert budget.is_limited
    assert not budget.is_exhausted
    assert 0 < budget.left() <= 0.05
    time.sleep(0.06)
    assert budget.is_exhausted
    assert budget.used() > 60


def test_without_a_limit_it_is_never_over():
    budget = Budget(None, used=1e9)
    assert not budget.is_limited
    assert not budget.is_exhausted
    assert budget.used() >= 1e9


# 10 steps of 2 s and a pass of 5 s make an epoch of 25 s.
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1000, (8, 10)),  # more than all
        (200, (8, 10)),
        (199, (7, 10)),
        (25, (1, 10)),
        (24, (1, 9)),  # 19 s for steps
        (9, (1, 2)),
        (0, (1, 1)),
        (-100, (1, 1)),
    ],
)
def test_as_many_epochs_as_fit_and_at_least_one_step(seconds, expected):
    assert affordable_epochs(seconds, 2.0, 5.0, steps=10, epochs=8) == expected


def test_steps_that_are_taken_together_stay_together():
    assert affordable_epochs(24, 2.0, 5.0, steps=12, epochs=8, steps_per_execution=4) == (1, 8)
    assert affordable_epochs(0, 2.0, 5.0, steps=12, epochs=8, steps_per_execution=4) == (1, 4)
