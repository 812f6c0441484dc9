"""The scores of heads, their intervals, and what tells two heads apart."""

import dataclasses

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.data.labels.tasks import Tasks
from tfxfer.models.regression.values import values
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.models.tasks.softmaxes import softmaxes
from tfxfer.ranking.judging.head_scores import HeadScores, accuracy_interval, is_worse
from tfxfer.ranking.judging.labeled import Labeled

COUNT = 200
ALONE = np.arange(COUNT)
FOLDS = ALONE % 5
TASKS = Tasks(("kind", "mood"), (("cat", "dog"), ("calm", "wild", "ill")))


def tags(noise, seed=0):
    """Returns three labels, one in ten unknown, and probabilities that know of them."""
    generator, chance = np.random.default_rng(0), np.random.default_rng((1, seed))
    labels = (generator.random((COUNT, 3)) < 0.3).astype(np.float32)
    outputs = 1 / (1 + np.exp(-(2 * labels - 1 + noise * chance.normal(size=labels.shape))))
    labels[generator.random(labels.shape) < 0.1] = np.nan
    return outputs.astype(np.float32), Labeled(labels, FOLDS, ALONE, 3, SIGMOIDS)


def numbers(noise, units=ALONE):
    """Returns numbers, and predictions of them."""
    generator = np.random.default_rng(0)
    truth = generator.normal(50, 10, COUNT)
    found = truth + noise * generator.normal(size=COUNT)
    spread = float(np.abs(truth - np.median(truth)).mean())
    objective = values(float(truth.mean()), float(truth.std()), spread)
    labeled = Labeled(truth, FOLDS, units, 1, objective)
    return found[:, None].astype(np.float32), labeled


def classes_of_tasks(noise):
    """Returns labels of two tasks, some missing, and probabilities of their classes."""
    generator = np.random.default_rng(0)
    parts, found = [], []
    for size in TASKS.sizes:
        own = np.eye(size, dtype=np.float32)[generator.integers(size, size=COUNT)]
        shares = np.exp(own + noise * generator.normal(size=own.shape))
        found.append(shares / shares.sum(axis=1, keepdims=True))
        own[generator.random(COUNT) < 0.2] = np.nan
        parts.append(own)
    labels = np.concatenate(parts, axis=1)
    labeled = Labeled(labels, FOLDS, ALONE, 5, softmaxes(TASKS.sizes), TASKS)
    return np.concatenate(found, axis=1).astype(np.float32), labeled


def test_several_labels_have_the_mean_average_precision_of_scikit_learn():
    outputs, labeled = tags(1.0)
    found = HeadScores.of(outputs, labeled)
    columns = [(labeled.labels[:, i], outputs[:, i]) for i in range(3)]
    known = [(one[~np.isnan(one)], shares[~np.isnan(one)]) for one, shares in columns]
    expected = np.mean([sklearn.metrics.average_precision_score(*pair) for pair in known])
    assert found.metric == pytest.approx(expected)
    pooled = [np.concatenate(part) for part in zip(*known)]
    assert found.log_loss == pytest.approx(sklearn.metrics.log_loss(*pooled), rel=1e-5)
    assert found.interval[0] < found.metric < found.interval[1]
    assert labeled.metric.key == "mean_average_precision"


def test_tasks_have_the_mean_of_their_accuracies():
    outputs, labeled = classes_of_tasks(1.0)
    found = HeadScores.of(outputs, labeled)
    true, predicted = TASKS.chosen(labeled.labels), TASKS.chosen(outputs)
    shares = [
        sklearn.metrics.accuracy_score(true[true[:, i] >= 0, i], predicted[true[:, i] >= 0, i])
        for i in range(2)
    ]
    assert found.metric == pytest.approx(np.mean(shares))
    assert found.interval[0] < found.metric < found.interval[1]
    assert labeled.metric.key == "mean_accuracy"


def test_numbers_have_their_mean_absolute_error():
    outputs, labeled = numbers(5.0)
    found = HeadScores.of(outputs, labeled)
    errors = np.abs(outputs[:, 0] - labeled.labels)
    assert found.metric == pytest.approx(errors.mean())
    # The interval of a mean of independent errors.
    half = 1.96 * errors.std() / np.sqrt(COUNT)
    assert found.interval == pytest.approx((errors.mean() - half, errors.mean() + half), rel=1e-2)


def test_the_interval_of_groups_is_that_of_their_number():
    outputs, labeled = numbers(5.0)
    twenty = np.repeat(outputs, 20, axis=0)
    truth, units = np.repeat(labeled.labels, 20), np.repeat(ALONE, 20)
    grouped = HeadScores.of(twenty, Labeled(truth, units % 5, units, 1, labeled.objective))
    alone = HeadScores.of(outputs, labeled)
    assert grouped.interval == pytest.approx(alone.interval)


@pytest.mark.parametrize("make", [tags, numbers, classes_of_tasks])
def test_the_interval_is_as_wide_as_that_of_the_bootstrap(make):
    outputs, labeled = make(1.5)
    generator, samples = np.random.default_rng(3), []
    for _ in range(300):
        drawn = generator.integers(COUNT, size=COUNT)
        again = dataclasses.replace(labeled, labels=labeled.labels[drawn], units=ALONE)
        samples.append(HeadScores.of(outputs[drawn], again).metric)
    low, high = HeadScores.of(outputs, labeled).interval
    assert high - low == pytest.approx(2 * 1.96 * np.std(samples), rel=0.15)


def test_an_interval_is_not_empty_where_all_is_right():
    _, labeled = tags(1.0)
    found = HeadScores.of(np.nan_to_num(labeled.labels), labeled)
    assert found.metric == found.interval[1] == 1
    assert 0.95 < found.interval[0] < 0.995


@pytest.mark.parametrize(("make", "good", "bad"), [(tags, 0.8, 1.6), (numbers, 3.0, 4.0)])
def test_what_is_worse_on_the_same_images_is_told_from_chance(make, good, bad):
    (one, labeled), (other, _) = make(good), make(bad)
    better, worse = HeadScores.of(one, labeled), HeadScores.of(other, labeled)
    assert worse.is_worse_than(better, labeled)
    assert not better.is_worse_than(worse, labeled)
    assert not better.is_worse_than(better, labeled)


def test_a_difference_that_may_be_chance_is_none():
    (one, labeled), (other, _) = tags(1.0), tags(1.0, seed=1)
    pair = HeadScores.of(one, labeled), HeadScores.of(other, labeled)
    assert not pair[1].is_worse_than(pair[0], labeled)


def test_the_interval_is_that_of_wilson():
    # Example of Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263.
    low, high = accuracy_interval(np.arange(263) < 81, np.arange(263))
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert accuracy_interval(np.ones(20, bool), np.arange(20))[1] == 1


def test_groups_make_the_interval_as_wide_as_their_number_does():
    generator = np.random.default_rng(0)
    of_group = generator.random(30) < 0.8
    units = np.repeat(np.arange(30), 20)
    low, high = accuracy_interval(np.repeat(of_group, 20), units)
    alone = accuracy_interval(of_group, np.arange(30))
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.15)


def test_groups_without_a_common_cause_make_the_interval_no_wider():
    is_correct = np.random.default_rng(0).random(600) < 0.8
    low, high = accuracy_interval(is_correct, np.arange(600) // 20)
    alone = accuracy_interval(is_correct, np.arange(600))
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.25)


def test_an_accuracy_of_one_has_the_interval_of_the_number_of_groups():
    found = accuracy_interval(np.ones(600, bool), np.arange(600) // 20)
    assert found == accuracy_interval(np.ones(30, bool), np.arange(30))


def test_a_difference_on_the_same_images_is_told_from_chance():
    one = np.arange(1000) < 900
    slightly_worse = one & (np.arange(1000) % 40 != 0)  # wrong on 23 more, right on none
    assert is_worse(slightly_worse, one, np.arange(1000))
    assert not is_worse(one, slightly_worse, np.arange(1000))
    assert not is_worse(one, one, np.arange(1000))
    # Of two that are wrong on different images, 23 more are nothing.
    other = np.roll(one, 500) & (np.arange(1000) % 40 != 1)
    assert not is_worse(other, one, np.arange(1000))


def test_a_difference_in_one_group_is_not_told_from_chance():
    one = np.ones(200, bool)
    other = np.arange(200) >= 40
    assert is_worse(other, one, np.arange(200))
    assert not is_worse(other, one, np.arange(200) // 40)
