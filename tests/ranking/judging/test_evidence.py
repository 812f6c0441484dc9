"""LogME and H-score of labels of any kind, against those of single classes and numbers."""

import numpy as np
import pytest

from tfxfer.data.labels.tasks import Tasks
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.ranking.judging.evidence import h_score_of, logme_of
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.ranking.scores import logme, maximum_evidence, shrinkage_h_score

COUNT = 80
FEATURES = np.random.default_rng(0).normal(size=(COUNT, 12)).astype(np.float32)
CLASSES = np.arange(COUNT) % 3
PLACES = np.arange(COUNT)


def evidence(target, rows=slice(None)):
    features = FEATURES[rows]
    return maximum_evidence(features, target[rows].astype(float)).value / len(features)


def labeled(labels, **others):
    return Labeled(labels, PLACES % 5, PLACES, np.shape(labels)[-1], **others)


def test_one_class_per_image_has_the_scores_of_old():
    one = Labeled(CLASSES, PLACES % 5, PLACES, 3)
    assert logme_of(FEATURES, one) == logme(FEATURES, CLASSES)
    assert h_score_of(FEATURES, one) == shrinkage_h_score(FEATURES, CLASSES)


def test_numbers_are_one_regression_in_any_unit():
    numbers = FEATURES[:, 0].astype(float) + np.random.default_rng(1).normal(size=COUNT)
    standardized = (numbers - numbers.mean()) / numbers.std()
    found = logme_of(FEATURES, labeled(numbers))
    assert found == pytest.approx(evidence(standardized))
    assert logme_of(FEATURES, labeled(1000 * numbers + 7)) == pytest.approx(found)
    assert h_score_of(FEATURES, labeled(numbers)) is None


def test_each_label_counts_on_the_images_where_it_is_known():
    labels = (FEATURES[:, :4] > 0.3).astype(np.float32)
    labels[:10, 1] = np.nan
    labels[:, 3] = 1  # all have it: it says nothing
    found = logme_of(FEATURES, labeled(labels, objective=SIGMOIDS))
    parts = [
        evidence(labels[:, 0]),
        evidence(labels[:, 1], slice(10, None)),
        evidence(labels[:, 2]),
    ]
    assert found == pytest.approx(np.mean(parts))
    assert h_score_of(FEATURES, labeled(labels, objective=SIGMOIDS)) is None


def test_tasks_have_the_mean_of_their_scores():
    tasks = Tasks(("one", "other"), (("a", "b", "c"), ("d", "e")))
    second = PLACES // 3 % 2
    labels = np.concatenate([np.eye(3)[CLASSES], np.eye(2)[second]], axis=1).astype(np.float32)
    labels[:20, 3:] = np.nan
    several = labeled(labels, tasks=tasks)
    expected = [logme(FEATURES, CLASSES), logme(FEATURES[20:], second[20:])]
    assert logme_of(FEATURES, several) == pytest.approx(np.mean(expected))
    expected = [shrinkage_h_score(FEATURES, CLASSES), shrinkage_h_score(FEATURES[20:], second[20:])]
    assert h_score_of(FEATURES, several) == pytest.approx(np.mean(expected))
