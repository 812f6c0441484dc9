"""The rates hold: false alarms and coverage, on images that were not calibrated on."""

import numpy as np
import pytest
import scipy.stats
import sklearn.datasets
from messages import parts

from tfxfer.errors import UsageError
from tfxfer.evaluation import cautioning
from tfxfer.evaluation.cautioning import Calibrating, Rates, make_cautious, upper_limit
from tfxfer.ranking.cross_validation import fitted_head

RATES = Rates(unknown_rate=0.1, coverage=0.9)


@pytest.fixture(scope="module")
def digits():
    """Features, labels and probabilities of digits, and the features that were trained on."""
    features, labels = sklearn.datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    features, labels = features[order].astype(np.float32), labels[order]
    train, rest = slice(0, 300), slice(300, None)
    first, second = slice(0, 200), slice(200, 300)
    halves = [(features[part], labels[part]) for part in (first, second)]
    shares = fitted_head(*halves, 10)(features[rest])
    return features[rest], labels[rest], shares, features[train]


def test_both_rates_hold_over_100_random_calibrations(digits):
    features, labels, shares, train = digits
    count = 200
    rank = 181  # ceil(201 * 0.9)
    # How many of the others are right where the limit is the value of this rank, whatever they are.
    others = len(labels) - count
    low, high = scipy.stats.betabinom(others, rank, count + 1 - rank).interval(0.95)
    covered, known = [], []
    for seed in range(100):
        order = np.random.default_rng(seed).permutation(len(labels))
        own, rest = order[:count], order[count:]
        calibrating = Calibrating(features[own], shares[own], labels[own], "test", True)
        found = make_cautious(train, calibrating, RATES, seed=0)
        judged = found.judge(features[rest], shares[rest])
        covered.append(judged.in_set[np.arange(others), labels[rest]].sum())
        known.append((~judged.unknown).sum())
    for hits in (np.array(covered), np.array(known)):
        inside = np.count_nonzero((hits >= low) & (hits <= high))
        assert inside >= scipy.stats.binom(100, 0.95).ppf(0.005)
        mean = hits.mean() / others
        # Of a hundred draws, each of which varies as the beta distribution says.
        error = np.sqrt(0.9 * 0.1 / (count + 2)) / 10
        assert abs(mean - rank / (count + 1)) < 3 * error


def test_noise_is_unknown_and_nearly_no_training_image_is(digits):
    features, labels, shares, train = digits
    found = make_cautious(train, Calibrating(features, shares, labels, "test", True), RATES, 0)
    noise = np.random.default_rng(0).uniform(0, 16, (100, 64)).astype(np.float32)
    assert found.judge(noise, shares[:100]).unknown.all()
    assert found.judge(train, shares[:300]).unknown.mean() < 0.1


def test_the_record_says_what_was_decided_on_what(digits, monkeypatch):
    features, labels, shares, train = digits
    monkeypatch.setattr(cautioning, "MOST_KEPT", 50)
    calibrating = Calibrating(features, shares, labels, "validation", False)
    found = make_cautious(train, calibrating, RATES, seed=0)
    record = found.record
    assert found.rows.shape == (50, 64)
    np.testing.assert_allclose(found.mean, train.mean(axis=0), atol=1e-4)
    assert (record.num_kept, record.neighbor, record.num_calibration) == (50, 10, len(labels))
    assert (record.unknown_rate, record.coverage) == (0.1, 0.9)
    assert "these also chose the epoch" in record.describe()
    own = shares[np.arange(len(labels)), labels]
    assert np.mean(own >= record.least_probability) == pytest.approx(0.9, abs=0.002)


def test_a_limit_is_the_value_of_its_rank():
    values = np.random.default_rng(0).permutation(99).astype(float)
    assert upper_limit(values, 0.1) == 89
    assert upper_limit(values, 0.01) == 98


def test_too_few_images_are_said_with_how_many_it_takes():
    with pytest.raises(UsageError, match=parts("rate at 0.05 ... at least 19 ... only 18")):
        upper_limit(np.arange(18.0), 0.05)
    assert upper_limit(np.arange(19.0), 0.05) == 18
