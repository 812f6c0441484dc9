"""Confusion without its zeros, compared with the whole matrix."""

import numpy as np
import pytest
import sklearn.metrics

from tfxfer.evaluation.confusion import Confusion


@pytest.fixture(scope="module")
def examples():
    generator = np.random.default_rng(0)
    return generator.integers(9, size=200), generator.integers(9, size=200)


@pytest.fixture(scope="module")
def matrix(examples):
    labels, predicted = examples
    # Two classes never occur.
    return sklearn.metrics.confusion_matrix(labels, predicted, labels=range(11))


@pytest.fixture(scope="module")
def pairs(examples):
    return Confusion.from_predictions(*examples, 11)


def test_it_is_the_matrix_and_its_sums(pairs, matrix):
    np.testing.assert_array_equal(pairs.dense(), matrix)
    assert (pairs.counts > 0).all()
    np.testing.assert_array_equal(pairs.support, matrix.sum(axis=1))
    np.testing.assert_array_equal(pairs.num_predicted, matrix.sum(axis=0))
    np.testing.assert_array_equal(pairs.num_correct, np.diag(matrix))


def test_some_classes_are_a_matrix_of_their_own_in_their_order(pairs, matrix):
    classes = np.array([7, 2, 10])
    np.testing.assert_array_equal(pairs.among(classes), matrix[np.ix_(classes, classes)])


def test_mistakes_are_all_but_the_diagonal(pairs, matrix):
    wrong = matrix - np.diag(np.diag(matrix))
    np.testing.assert_array_equal(pairs.mistakes().dense(), wrong)
    involved = wrong.sum(axis=0) + wrong.sum(axis=1)
    shown = pairs.classes_with_most_mistakes(4)
    assert shown.tolist() == sorted(np.argsort(-involved, kind="stable")[:4].tolist())
    assert pairs.classes_with_most_mistakes(20).tolist() == list(range(11))


def test_the_pairs_that_are_confused_most_come_first_and_of_equal_ones_the_first(pairs, matrix):
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:7]
    expected = [(*divmod(int(cell), 11), int(wrong.ravel()[cell])) for cell in order]
    assert pairs.most_confused(7) == expected
    right = Confusion.from_predictions([0, 1], [0, 1], 2)
    assert right.most_confused(7) == []


def test_the_most_frequent_wrong_prediction_of_each_class_is_found(pairs, matrix):
    wrong = matrix - np.diag(np.diag(matrix))
    expected = {
        label: (int(row.argmax()), int(row.max())) for label, row in enumerate(wrong) if row.any()
    }
    assert pairs.most_often_predicted_as() == expected


def test_of_very_many_classes_it_takes_no_matrix():
    generator = np.random.default_rng(0)
    labels = generator.integers(10**6, size=1000)
    pairs = Confusion.from_predictions(labels, np.append(labels[:500], labels[500:][::-1]), 10**6)
    assert len(pairs.counts) <= 1000
    assert pairs.counts.sum() == pairs.support.sum() == 1000
    matrix = pairs.among(np.unique(labels))
    np.testing.assert_array_equal(matrix.sum(axis=0), pairs.num_predicted[np.unique(labels)])
