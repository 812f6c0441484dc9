"""The learning curve: power laws of known form, and heads on parts of known images."""

import numpy as np
import pytest

from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.ranking.learning_curve import extrapolated, learning_curve

SIZES = [100, 200, 400, 800]


def shares_of(errors, num_examples=20_000):
    """Returns images of which these fractions are predicted wrong, the same ones first."""
    return np.stack([np.arange(num_examples) >= error * num_examples for error in errors]) * 1.0


def test_a_power_law_is_continued():
    errors = [0.8 * size**-0.4 for size in SIZES]
    found = extrapolated(SIZES, shares_of(errors), np.arange(20_000), 0)
    assert [one.num_images for one in found] == [1600, 3200]
    for one in found:
        expected = 1 - 0.8 * one.num_images**-0.4
        assert one.interval[0] <= expected <= one.interval[1]
        assert one.accuracy == pytest.approx(expected, abs=0.01)


def test_a_power_law_that_ends_above_zero_is_within_the_interval():
    errors = [0.1 + 5 * size**-0.9 for size in SIZES]
    twice, _ = extrapolated(SIZES, shares_of(errors), np.arange(20_000), 0)
    assert twice.interval[0] <= 1 - (0.1 + 5 * 1600**-0.9) <= twice.interval[1]


def test_an_error_that_does_not_fall_is_predicted_to_stay():
    twice, fourfold = extrapolated(SIZES, shares_of([0.3] * 4), np.arange(20_000), 0)
    assert twice.accuracy == pytest.approx(0.7, abs=0.01)
    assert fourfold.accuracy == pytest.approx(0.7, abs=0.02)


def test_the_interval_of_few_images_is_wide_even_without_an_error():
    (twice, _) = extrapolated(SIZES, np.ones((4, 50)), np.arange(50), 0)
    assert twice.interval[0] < 0.995
    assert twice.interval[1] > 0.998
    many, _ = extrapolated(SIZES, shares_of([0.2] * 4, 4000), np.arange(4000), 0)
    few, _ = extrapolated(SIZES, shares_of([0.2] * 4, 100), np.arange(100), 0)
    assert np.ptp(few.interval) > 3 * np.ptp(many.interval)


@pytest.mark.slow
def test_the_curve_of_a_head_rises_and_covers_the_accuracy_with_twice_the_images():
    generator = np.random.default_rng(0)
    labels = np.arange(800) % 4
    features = (generator.normal(size=(800, 40)) + 1.3 * np.eye(4, 40)[labels]).astype("float32")

    def ranked(count):
        folds = np.arange(count) // 4 % 5
        labeled = Labeled(labels[:count], folds, np.arange(count), 4)
        scores = HeadScores.of(out_of_fold(features[:count], labeled), labeled)
        return labeled, scores

    labeled, scores = ranked(400)
    curve = learning_curve(features[:400], labeled, scores.is_correct, 0)
    assert curve.num_images == (40, 80, 160, 320)
    assert curve.accuracies[0] < curve.accuracies[2]
    assert curve.accuracies[-1] == scores.metric
    low, high = curve.predictions[0].interval
    assert low < ranked(800)[1].metric < high
    assert high - low < 0.2


def test_few_images_have_no_curve():
    labeled = Labeled(np.arange(20) % 4, np.arange(20) // 4, np.arange(20), 4)
    assert learning_curve(np.zeros((20, 3), "float32"), labeled, np.ones(20, bool), 0) is None
