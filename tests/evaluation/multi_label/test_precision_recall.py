"""Average precision and thresholds, against scikit-learn and by trying all of them."""

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.evaluation.multi_label.precision_recall import (
    Ranking,
    best_thresholds,
    mean_average_precision,
)


@pytest.fixture(params=[2, 6])  # digits: with two there are many ties
def told(request):
    """Probabilities and labels of 60 examples and 4 labels; one label is known of half of them."""
    generator = np.random.default_rng(0)
    labels = (generator.random((60, 4)) < [0.5, 0.3, 0.1, 0.4]).astype("float32")
    noise = generator.random((60, 4))
    probabilities = np.round(0.4 * labels + 0.6 * noise, request.param).astype("float32")
    labels[::2, 3] = np.nan
    return probabilities, labels


def test_slopes_are_the_differences_that_a_little_of_an_example_makes(told):
    ranking, step = Ranking(*told), 1e-6
    expected = []
    for example in range(60):
        counts = np.ones(60)
        counts[example] += step
        expected.append((ranking.average_precision(counts) - ranking.average_precision()) / step)
    found = ranking.slopes()
    np.testing.assert_allclose(found, np.transpose(expected), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-12)


def test_average_precision_is_that_of_scikit_learn(told):
    probabilities, labels = told
    found = Ranking(probabilities, labels).average_precision()
    for label in range(4):
        known = ~np.isnan(labels[:, label])
        expected = sklearn.metrics.average_precision_score(
            labels[known, label], probabilities[known, label]
        )
        assert found[label] == pytest.approx(expected)
    whole = sklearn.metrics.average_precision_score(labels[:, :3], probabilities[:, :3])
    assert mean_average_precision(found[:3]) == pytest.approx(whole)


def test_an_example_that_counts_twice_is_there_twice(told):
    probabilities, labels = told
    counts = np.random.default_rng(1).integers(4, size=60)
    copies = np.repeat(np.arange(60), counts)
    expected = Ranking(probabilities[copies], labels[copies]).average_precision()
    assert Ranking(probabilities, labels).average_precision(counts) == pytest.approx(expected)


def test_a_label_that_no_example_has_does_not_count(told):
    probabilities, labels = told
    labels[:, 1] = 0
    found = Ranking(probabilities, labels).average_precision()
    assert np.isnan(found).tolist() == [False, True, False, False]
    assert mean_average_precision(found) == pytest.approx(np.nanmean(found))
    assert np.isnan(mean_average_precision(np.array([np.nan])))
    assert best_thresholds(probabilities, labels)[1] == 0.5


def test_the_curve_is_that_of_scikit_learn(told):
    probabilities, labels = told
    for label in range(4):
        known = ~np.isnan(labels[:, label])
        precision, recall, thresholds = sklearn.metrics.precision_recall_curve(
            labels[known, label], probabilities[known, label]
        )
        found = Ranking(probabilities, labels).curve(label)
        for ours, theirs in zip(found, (thresholds, precision[:-1], recall[:-1])):
            assert ours[::-1] == pytest.approx(theirs)


def test_no_other_threshold_has_a_higher_f1(told):
    probabilities, labels = told
    chosen = best_thresholds(probabilities, labels)
    for label in range(4):
        known = ~np.isnan(labels[:, label])
        y, p = labels[known, label], probabilities[known, label]
        all_f1 = [sklearn.metrics.f1_score(y, p >= at) for at in np.unique(p)]
        assert sklearn.metrics.f1_score(y, p >= chosen[label]) == pytest.approx(max(all_f1))
        # Rounding does not change a prediction.
        assert np.abs(p - chosen[label]).min() > 1e-7


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken():
    assert best_thresholds([[0.9], [0.7], [0.1]], [[1], [1], [0]])[0] == pytest.approx(0.4)
    assert best_thresholds([[0.9], [0.2]], [[1], [1]])[0] == pytest.approx(0.1)
