"""Ridge regression in closed form, against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tfxfer.models.regression.values import values
from tfxfer.training.examples import Examples
from tfxfer.training.heads.ridge import RIDGE_PENALTIES, solve_ridge_path
from tfxfer.training.logistic_regression import Problem, best_solution


def problem(num_train, num_features=20, weighted=False):
    """Returns a problem whose numbers are linear in the features, with noise."""
    generator = np.random.default_rng(0)
    number = num_train + 50
    features = generator.normal(size=(number, num_features)).astype("float32") + 1
    numbers = 30 + 5 * features[:, :4].sum(axis=1) + 3 * generator.normal(size=number)
    weights = None
    if weighted:
        weights = generator.gamma(2.0, size=num_train).astype("float32")
        weights /= weights.mean()
    train = Examples(features[:num_train], numbers[:num_train], weights)
    labels = train.labels
    spread = float(np.abs(labels - np.median(labels)).mean())
    objective = values(float(labels.mean()), float(labels.std()), spread)
    return Problem(
        train, Examples(features[num_train:], numbers[num_train:]), 1, 1, objective=objective
    )


@pytest.mark.parametrize("num_train", [12, 200])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_solution_is_that_of_scikit_learn(num_train, weighted):
    given = problem(num_train, weighted=weighted)
    train = given.train
    targets = (train.labels - train.labels.mean()) / train.labels.std()
    for solution in solve_ridge_path(given, (10.0, 0.1)):
        expected = Ridge(alpha=solution.penalty * num_train)
        expected.fit(train.features.astype(float), targets, train.weights)
        assert solution.kernel[:, 0] == pytest.approx(expected.coef_, abs=1e-5)
        assert solution.bias[0] == pytest.approx(expected.intercept_, abs=1e-5)
        outputs = expected.predict(given.validation.features)[:, None]
        scores = given.objective.scores(outputs, given.validation.labels, 0.0)
        assert solution.scores.validation_loss == pytest.approx(scores.loss, abs=1e-5)
        assert solution.scores.validation_accuracy == pytest.approx(scores.metric, abs=1e-5)


def test_validation_chooses_the_penalty_and_known_solutions_are_kept():
    given = problem(25)
    path = list(solve_ridge_path(given))
    assert [one.penalty for one in path] == list(RIDGE_PENALTIES)
    losses = [one.scores.validation_loss for one in path]
    chosen = best_solution(path)
    assert losses.index(min(losses)) == path.index(chosen)
    assert RIDGE_PENALTIES[-1] < chosen.penalty < RIDGE_PENALTIES[0]
    rest = list(solve_ridge_path(given, RIDGE_PENALTIES, tuple(path[:3])))
    assert [one.penalty for one in rest] == list(RIDGE_PENALTIES[3:])
    np.testing.assert_array_equal(rest[0].kernel, path[3].kernel)


def test_without_a_penalty_copies_of_features_have_a_solution():
    given = problem(200)
    twice = np.concatenate([given.train.features] * 2, axis=1)
    other = Problem(
        Examples(twice, given.train.labels),
        Examples(twice[:5], given.train.labels[:5]),
        1,
        1,
        objective=given.objective,
    )
    (once,), (found,) = solve_ridge_path(given, (0.0,)), solve_ridge_path(other, (0.0,))
    half = found.kernel[:20] + found.kernel[20:]
    assert half == pytest.approx(once.kernel, abs=1e-4)
