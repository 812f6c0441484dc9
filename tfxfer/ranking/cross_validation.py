"""Heads by cross-validation on features: each image is predicted by one that has not seen it."""

from dataclasses import dataclass

import numpy as np

from tfxfer.data.labels.targets import Labels
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.standardization import Standardization
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.system.progress import Progress
from tfxfer.training.examples import Examples, Floats
from tfxfer.training.heads.ridge import solve_ridge_path
from tfxfer.training.logistic_regression import (
    Problem,
    Solution,
    best_solution,
    solve,
    solve_path,
)

# Fewest folds: one to predict, one to choose the penalty on, one to train on.
FEWEST_FOLDS = 3

_MAX_ITERATIONS = 100


def out_of_fold(features: Floats, labeled: Labeled, others: Floats | None = None) -> Floats:
    """Returns the probabilities, or the number, of each image by a head that has not seen its fold.

    For each fold, the L2 penalty is chosen on the next one by a head trained on the others; the
    head with this penalty is then trained on all but the fold. So nothing about a fold, neither
    its labels nor its scale, is known when its images are predicted.

    Args:
        features: Shape (num_examples, num_features).
        labeled: Labels and folds; see `check_folds`.
        others: Features of a changed version of each image, such as its mirror image, that heads
            are trained on, too; None for nothing.

    Returns:
        Shape (num_examples, num_classes), float32; numbers in their unit, (num_examples, 1).
    """
    return cross_validated(features, labeled, others)[0]


def cross_validated(
    features: Floats, labeled: Labeled, others: Floats | None = None
) -> tuple[Floats, list[float]]:
    """Returns what `out_of_fold` does, and the L2 penalty of the head of each fold.

    Args:
        features: Shape (num_examples, num_features).
        labeled: Labels and folds; see `check_folds`.
        others: See `out_of_fold`.
    """
    versions = features if others is None else np.concatenate([features, others])
    times = len(versions) // len(features)
    labels = np.concatenate([labeled.labels] * times)
    found = np.zeros((len(features), labeled.num_classes), np.float32)
    folds, penalties = np.unique(labeled.folds), []
    with Progress("heads of folds", len(folds)) as progress:
        for place, fold in enumerate(folds):
            held_out = labeled.folds == fold
            following = labeled.folds == folds[(place + 1) % len(folds)]
            rest = np.tile(~held_out & ~following, times)
            following = np.tile(following, times)
            head = fitted_head(
                (versions[rest], labels[rest]),
                (versions[following], labels[following]),
                labeled.num_outputs,
                labeled.objective,
            )
            found[held_out] = head(features[held_out])
            penalties.append(head.solution.penalty)
            progress.update(place + 1)
    return found, penalties


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class FittedHead:
    """A head that was trained on features.

    Attributes:
        scale: How features are standardized.
        solution: Kernel, bias and L2 penalty.
        objective: What the head was trained for.
    """

    scale: Standardization
    solution: Solution
    objective: Objective

    def __call__(self, features: Floats) -> Floats:
        """Returns the probabilities, or the numbers, of images with these features.

        Args:
            features: Shape (num_examples, num_features).
        """
        solution = self.solution
        return self.objective.activate(self.scale.apply(features) @ solution.kernel + solution.bias)


def fitted_head(
    train: tuple[Floats, Labels],
    validation: tuple[Floats, Labels],
    num_outputs: int,
    objective: Objective = SOFTMAX,
) -> FittedHead:
    """Returns a head that was trained on train and validation together.

    Args:
        train: Features and labels to try the L2 penalties on.
        validation: Features and labels to choose the L2 penalty on.
        num_outputs: Number of outputs of the head.
        objective: What the head is trained for.
    """
    scale = Standardization.of(train[0])
    problem = Problem(
        Examples(scale.apply(train[0]), train[1]),
        Examples(scale.apply(validation[0]), validation[1]),
        num_outputs,
        _MAX_ITERATIONS,
        objective=objective,
    )
    path = solve_ridge_path(problem) if objective.is_number else solve_path(problem)
    penalty = best_solution(list(path)).penalty
    features = np.concatenate([train[0], validation[0]])
    labels = np.concatenate([train[1], validation[1]])
    scale = Standardization.of(features)
    everything = Examples(scale.apply(features), labels)
    problem = Problem(everything, None, num_outputs, _MAX_ITERATIONS, objective=objective)
    return FittedHead(scale, _solved(problem, penalty), objective)


def _solved(problem: Problem, penalty: float) -> Solution:
    """Returns the head with an L2 penalty."""
    if problem.objective.is_number:
        return next(solve_ridge_path(problem, (penalty,)))
    return solve(problem, penalty)
