import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tfxfer.data.weighting import balanced_weights, class_weights_of
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.training.examples import Examples
from tfxfer.training.logistic_regression import (
    PENALTIES,
    Iteration,
    Problem,
    Solution,
    best_solution,
    converged,
    solve,
    solve_path,
    start_of_finetuning,
)


def examples(num_examples, num_classes, seed=0, noise=1.0):
    """Returns examples of classes that overlap, of 6 features."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num_examples) % num_classes
    centers = np.random.default_rng(99).normal(size=(num_classes, 6))
    features = centers[labels] + noise * generator.normal(size=(num_examples, 6))
    return Examples(features.astype("float32"), labels)


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("penalty", [0.3, 0.01])
def test_the_solution_is_that_of_scikit_learn(num_classes, penalty):
    train, validation = examples(200, num_classes), examples(50, num_classes, seed=1)
    solution = solve(Problem(train, validation, num_classes, 200), penalty)
    # Two classes share one plane there, so that its penalty counts half.
    strength = (2 if num_classes == 2 else 1) / (penalty * 200)
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=1000)
    theirs.fit(train.features, train.labels)
    ours = validation.features @ solution.kernel + solution.bias
    if num_classes == 2:
        expected = theirs.decision_function(validation.features)
        assert ours[:, 1] - ours[:, 0] == pytest.approx(expected, abs=0.02)
    else:
        expected = theirs.decision_function(validation.features)
        centerd = expected - expected.mean(axis=1, keepdims=True)
        assert ours - ours.mean(axis=1, keepdims=True) == pytest.approx(centerd, abs=0.02)
    assert solution.scores.validation_accuracy == theirs.score(
        validation.features, validation.labels
    )


def weighted(part, weights):
    """Returns the examples with weights of mean 1 in the given proportion."""
    weights = np.asarray(weights, "float64")
    return Examples(part.features, part.labels, (weights / weights.mean()).astype("float32"))


def test_weighted_examples_have_the_solution_of_scikit_learn():
    train = examples(200, 5)
    weights = np.random.default_rng(3).gamma(1.0, size=200)
    train = weighted(train, weights)
    solution = solve(Problem(train, train, 5, 300), 0.03)
    theirs = LogisticRegression(C=1 / (0.03 * 200), tol=1e-8, max_iter=1000)
    theirs.fit(train.features, train.labels, sample_weight=train.weights)
    expected = theirs.decision_function(train.features)
    ours = train.features @ solution.kernel + solution.bias
    centerd = ours - ours.mean(axis=1, keepdims=True)
    assert centerd == pytest.approx(expected - expected.mean(axis=1, keepdims=True), abs=0.02)


def test_weights_of_one_give_the_same_solution_to_the_last_bit():
    train, validation = examples(60, 3), examples(30, 3, seed=1)
    plain = solve(Problem(train, validation, 3, 50, 0.1), 0.01)
    ones = solve(
        Problem(weighted(train, np.ones(60)), weighted(validation, np.ones(30)), 3, 50, 0.1), 0.01
    )
    np.testing.assert_array_equal(ones.kernel, plain.kernel)
    np.testing.assert_array_equal(ones.bias, plain.bias)
    assert ones.iterations == plain.iterations


def test_an_example_of_weight_two_is_as_good_as_two():
    train, validation = examples(60, 3), examples(30, 3, seed=1)
    copies = np.concatenate([np.arange(60), [7, 7, 11]])
    twice = solve(
        Problem(Examples(train.features[copies], train.labels[copies]), validation, 3, 500), 0.03
    )
    weights = np.bincount(copies)
    assert (weights[7], weights[11]) == (3, 2)
    once = solve(Problem(weighted(train, weights), validation, 3, 500), 0.03)
    assert once.kernel == pytest.approx(twice.kernel, abs=2e-3)
    assert once.bias == pytest.approx(twice.bias, abs=2e-3)
    assert once.scores.train_loss == pytest.approx(twice.scores.train_loss, abs=1e-5)
    assert once.scores.train_accuracy == pytest.approx(twice.scores.train_accuracy)


def test_examples_of_weight_zero_have_no_influence():
    train, validation = examples(60, 3), examples(30, 3, seed=1)
    counted = np.arange(60) % 4 != 1
    without = solve(
        Problem(Examples(train.features[counted], train.labels[counted]), validation, 3, 500), 0.03
    )
    labels = np.where(counted, train.labels, 0)  # wrong ones
    zeros = solve(
        Problem(weighted(Examples(train.features, labels), counted), validation, 3, 500), 0.03
    )
    assert zeros.kernel == pytest.approx(without.kernel, abs=2e-3)
    assert zeros.scores.train_accuracy == pytest.approx(without.scores.train_accuracy)


def test_balanced_weights_find_the_rare_class_where_it_is_likelier_than_elsewhere():
    # One feature of two values, so that the logits are those of counts. Where it is 1 the common
    # class has 20 examples and the rare one 8; where it is 0 they have 90 and 2.
    counts = {(0, 0): 90, (1, 0): 20, (0, 1): 2, (1, 1): 8}
    features = np.repeat([x for x, _ in counts], list(counts.values())).astype("float32")
    labels = np.repeat([y for _, y in counts], list(counts.values()))
    points = Examples(features[:, None], labels)
    of_one = {}
    for name, part in (
        ("none", points),
        ("balanced", weighted(points, balanced_weights(labels))),
    ):
        found = solve(Problem(part, part, 2, 500), 0.0)
        logits = found.kernel[0] + found.bias
        of_one[name] = logits[1] - logits[0]
        recall = np.mean((points.features @ found.kernel + found.bias)[labels == 1].argmax(axis=1))
        assert recall == pytest.approx({"none": 0.0, "balanced": 0.8}[name])
        # That of all examples, or the mean of both recalls, 90 of 110 and 8 of 10.
        accuracy = {"none": 110 / 120, "balanced": (90 / 110 + 0.8) / 2}[name]
        assert found.scores.validation_accuracy == pytest.approx(accuracy)
    assert of_one["none"] == pytest.approx(np.log(8 / 20), abs=0.01)
    assert of_one["balanced"] == pytest.approx(np.log((8 / 10) / (20 / 110)), abs=0.01)


def test_the_scores_are_those_of_the_solution():
    train, validation = examples(60, 3), examples(30, 3, seed=1)
    solution = solve(Problem(train, validation, 3, 100), 0.1)
    for part, loss, accuracy in (
        (train, solution.scores.train_loss, solution.scores.train_accuracy),
        (validation, solution.scores.validation_loss, solution.scores.validation_accuracy),
    ):
        logits = (part.features @ solution.kernel + solution.bias).astype("float64")
        logarithms = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        chosen = logarithms[np.arange(len(logits)), part.labels]
        assert loss == pytest.approx(-chosen.mean(), rel=1e-4)
        assert accuracy == np.mean(logits.argmax(axis=1) == part.labels)


def test_smoothed_labels_have_a_solution_of_bounded_logits():
    # Two points that a plane divides: without smoothing and penalty the logits would have no bound.
    points = Examples(np.array([[-1.0], [1.0]], "float32"), np.array([0, 1]))
    solution = solve(Problem(points, points, 2, 200, 0.2), 0.0)
    logits = points.features @ solution.kernel + solution.bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert probabilities == pytest.approx(np.array([[0.9, 0.1], [0.1, 0.9]]), abs=1e-3)


def test_the_number_of_passes_is_limited():
    train = examples(60, 3)
    assert len(solve(Problem(train, train, 3, 4), 1e-4).iterations) == 4
    assert len(solve(Problem(train, train, 3, 500), 1e-4).iterations) > 4


def test_the_path_goes_from_strong_to_weak_and_ends_when_validation_gets_worse():
    train, validation = examples(30, 3, noise=2.0), examples(300, 3, seed=1, noise=2.0)
    path = list(solve_path(Problem(train, validation, 3, 100)))
    penalties = [solution.penalty for solution in path]
    assert penalties == list(PENALTIES[: len(path)])
    assert len(path) < len(PENALTIES)
    losses = [solution.scores.validation_loss for solution in path]
    best = int(np.argmin(losses))
    assert best == len(path) - 3
    norms = [np.linalg.norm(solution.kernel) for solution in path]
    assert norms == sorted(norms)


def test_a_path_that_begins_at_the_last_solution_ends_where_a_fresh_one_does():
    train, validation = examples(60, 3), examples(30, 3, seed=1)
    *_, near = solve_path(Problem(train, validation, 3, 500), penalties=(1.0, 0.1, 0.01))
    warm = converged(near, Problem(train, validation, 3, 500))
    assert warm.iterations[: len(near.iterations)] == near.iterations
    assert len(
        converged(near, Problem(train, validation, 3, len(near.iterations))).iterations
    ) == len(near.iterations)
    cold = solve(Problem(train, validation, 3, 500), 0.01)
    assert warm.kernel == pytest.approx(cold.kernel, abs=0.02)
    again = solve(Problem(train, validation, 3, 500), 0.01, warm)
    assert again.scores.validation_loss == pytest.approx(warm.scores.validation_loss, abs=1e-4)


def solution(penalty, loss, accuracy):
    nothing = np.zeros((1, 2), "float32")
    return Solution(penalty, nothing, nothing[0], (Iteration(0.0, 1.0, loss, accuracy),))


def test_the_best_has_the_least_loss_and_finetuning_begins_within_a_standard_error():
    path = [solution(3.0, 0.9, 0.859), solution(1.0, 0.5, 0.862), solution(0.3, 0.4, 0.87)]
    path += [solution(0.1, 0.45, 0.9), solution(0.03, 0.5, 0.88)]
    assert best_solution(path).penalty == 0.3
    # The error of 0.9 on 60 images is 0.0387, on 100 it is 0.03, on 1,000 it is 0.0095.
    for num_validation, penalty in ((60, 1.0), (100, 0.3), (1000, 0.1)):
        assert start_of_finetuning(path, num_validation).penalty == penalty


def of_several_labels(num_examples, seed=0):
    """Returns examples with 3 labels each, of 6 features."""
    generator = np.random.default_rng(seed)
    planes = np.random.default_rng(99).normal(size=(6, 3))
    features = generator.normal(size=(num_examples, 6))
    noise = generator.logistic(size=(num_examples, 3))
    labels = (features @ planes + noise - [0, 1, 3] > 0).astype("float32")
    return Examples(features.astype("float32"), labels)


def problem_of(train, max_iterations=300):
    return Problem(train, of_several_labels(60, seed=1), 3, max_iterations, objective=SIGMOIDS)


@pytest.mark.parametrize("penalty", [0.3, 0.01])
def test_each_of_several_labels_has_the_solution_of_scikit_learn(penalty):
    train = of_several_labels(200)
    train.labels[:50, 1] = np.nan  # of one label a quarter is unknown
    problem = problem_of(train)
    solution = converged(solve(problem, penalty), problem)
    for label in range(3):
        known = ~np.isnan(train.labels[:, label])
        # The mean is over all examples, so that the penalty is the same for every label.
        theirs = LogisticRegression(C=1 / (penalty * 200), tol=1e-8, max_iter=1000)
        theirs.fit(train.features[known], train.labels[known, label])
        assert solution.kernel[:, label] == pytest.approx(theirs.coef_[0], abs=5e-3)
        assert solution.bias[label] == pytest.approx(theirs.intercept_[0], abs=5e-3)


def test_balanced_labels_have_the_solution_of_scikit_learn():
    train = of_several_labels(200)
    weights = class_weights_of(train.labels)
    solution = solve(problem_of(Examples(train.features, train.labels, weights)), 0.03)
    for label in range(3):
        theirs = LogisticRegression(
            C=1 / (0.03 * 200), class_weight="balanced", tol=1e-8, max_iter=1000
        )
        theirs.fit(train.features, train.labels[:, label])
        assert solution.kernel[:, label] == pytest.approx(theirs.coef_[0], abs=5e-3)


def test_labels_are_solved_as_if_each_were_alone():
    train = of_several_labels(200)
    together = solve(problem_of(train), 0.03)
    for label in range(3):
        one = [label]
        alone = Problem(
            Examples(train.features, train.labels[:, one]),
            Examples(train.features, train.labels[:, one]),
            *(1, 300),
            objective=SIGMOIDS,
        )
        found = solve(alone, 0.03)
        assert together.kernel[:, one] == pytest.approx(found.kernel, abs=2e-3)


def test_the_scores_of_several_labels_are_those_of_the_objective():
    problem = problem_of(of_several_labels(200))
    solution = solve(problem, 0.1)
    validation = problem.validation
    logits = validation.features @ solution.kernel + solution.bias
    expected = SIGMOIDS.scores(logits, validation.labels, 0.0)
    assert solution.scores.validation_loss == pytest.approx(expected.loss, rel=1e-5)
    assert solution.scores.validation_accuracy == pytest.approx(expected.metric)
