import numpy as np
import pytest

from tfxfer.data.weighting import balanced_weights
from tfxfer.training.examples import Examples


def test_weighted_examples_tell_as_much_as_fewer_of_one_weight():
    labels = np.repeat([0, 1], [90, 10])
    points = Examples(np.zeros((100, 1), "float32"), labels)
    assert points.effective_number == 100
    # The variance of the mean of two recalls is (p q / 90 + p q / 10) / 4.
    effective = 4 / (1 / 90 + 1 / 10)
    balanced = Examples(points.features, labels, balanced_weights(labels))
    assert balanced.effective_number == pytest.approx(effective, rel=1e-6)
