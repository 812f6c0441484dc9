"""What heads make of changed images."""

import numpy as np
import pytest

from tfxfer.ranking.decisions.heads import Compared


@pytest.mark.parametrize(
    ("losses", "is_worse"),
    [
        ([0.9, 0.8, 1.0, 0.9], True),
        ([0.5, 0.4, 0.6, 0.5], False),  # not so many times as much
        ([0.0, 0.0, 0.0, 3.6], False),  # of one image alone
        ([0.1, 0.1, 0.1, 0.1], False),
    ],
)
def test_changed_images_are_worse_if_the_loss_is_far_higher_and_not_by_chance(losses, is_worse):
    plain = np.full(4, 0.4)
    assert Compared(plain, np.array(losses), np.arange(4)).is_worse(1.5) is is_worse


def test_images_that_cannot_be_separated_count_as_one():
    plain, changed = np.full(6, 0.1), np.array([0.1, 0.2, 0.1, 1.0, 1.0, 1.0])
    alone = Compared(plain, changed, np.arange(6))
    assert alone.is_worse(1.5)
    assert alone.means == pytest.approx((0.1, 3.4 / 6))
    assert not Compared(plain, changed, np.array([0, 1, 2, 3, 3, 3])).is_worse(1.5)
