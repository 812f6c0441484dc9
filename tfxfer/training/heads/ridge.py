"""The linear head of a number, solved in closed form: ridge regression on features.

Hoerl & Kennard 1970, Technometrics 12. The squared error of the standardized target stands for the
Huber loss, which is the same up to an error of one standard deviation; validation chooses the L2
penalty by the Huber loss.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.linalg
import threadpoolctl

from tfxfer.models.objectives import NOT_VALIDATED, Scores
from tfxfer.training.examples import Examples
from tfxfer.training.logistic_regression import PENALTIES, Iteration, Problem, Solution

Doubles = npt.NDArray[np.float64]

# Of a squared error, stronger ones than those of cross-entropy help: it does not saturate.
RIDGE_PENALTIES = (100.0, 30.0, 10.0, *PENALTIES)

# Examples whose features are in double precision at once.
_BLOCK = 4096


def solve_ridge_path(
    problem: Problem,
    penalties: tuple[float, ...] = RIDGE_PENALTIES,
    before: tuple[Solution, ...] = (),
) -> Iterator[Solution]:
    """Yields the head for each L2 penalty, each of which is exact.

    Args:
        problem: The problem to solve; its objective is that of a number.
        penalties: L2 penalties in descending order.
        before: Known solutions for the first penalties; they are not yielded.

    Examples:
        >>> from tfxfer.models.regression.values import values
        >>> points = Examples(np.array([[-1.0], [1.0]], np.float32), np.array([-2.0, 2.0]))
        >>> problem = Problem(points, points, 1, 1, objective=values(0.0, 2.0, 2.0))
        >>> [one.kernel.item() for one in solve_ridge_path(problem, (1.0, 0.0))]
        [0.5, 1.0]
    """
    with threadpoolctl.threadpool_limits(1, user_api="blas"):  # see `logistic_regression.solve`
        sums = _Sums.of(problem)
        for penalty in penalties[len(before) :]:
            kernel, bias = sums.solved(penalty)
            weights = kernel.astype(np.float32)[:, None], np.array([bias], np.float32)
            scores = _scores(problem, problem.train, *weights)
            validation = NOT_VALIDATED
            if problem.validation is not None:
                validation = _scores(problem, problem.validation, *weights)
            iteration = Iteration(*scores, *validation)
            yield Solution(penalty, *weights, (iteration,))


def _scores(
    problem: Problem,
    examples: Examples,
    kernel: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
) -> Scores:
    """Returns the loss and the metric of a head on examples."""
    outputs = examples.features @ kernel + bias
    return problem.objective.scores(outputs, examples.labels, 0.0, examples.weights)


@dataclass(frozen=True)
class _Sums:
    """What the closed form needs of training examples; the smaller of two systems is solved.

    Attributes:
        matrix: Of mean products of centered features, (num_features, num_features); or of
            examples, (num_examples, num_examples), if there are fewer.
        right: Mean products of centered features and targets, (num_features,); or the targets.
        back: Centered features, (num_examples, num_features), to return from the examples to
            features; None where these were solved for.
        center: Mean of the features.
        mean: Mean of the targets.
    """

    matrix: Doubles
    right: Doubles
    back: Doubles | None
    center: Doubles
    mean: float

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Returns those of the training examples, weighted by their sample weights."""
        features, weights = problem.train.features, problem.train.weights
        targets = problem.objective.logits_of(np.asarray(problem.train.labels))
        number = len(features)
        shares = np.full(number, 1 / number)
        if weights is not None:
            shares = weights.astype(np.float64) / weights.sum(dtype=np.float64)
        center: Doubles = np.asarray(shares @ features, np.float64)
        mean = float(shares @ targets)
        roots = np.sqrt(shares)[:, None]
        if number < features.shape[1]:
            rows = (features - center) * roots
            return cls(rows @ rows.T, (targets - mean) * roots[:, 0], rows, center, mean)
        matrix, right = np.zeros((features.shape[1],) * 2), np.zeros(features.shape[1])
        for start in range(0, number, _BLOCK):
            block = slice(start, start + _BLOCK)
            rows = (features[block] - center) * roots[block]
            matrix += rows.T @ rows
            right += rows.T @ ((targets[block] - mean) * roots[block, 0])
        return cls(matrix, right, None, center, mean)

    def solved(self, penalty: float) -> tuple[Doubles, float]:
        """Returns the kernel, (num_features,), and the bias."""
        system = self.matrix + penalty * np.eye(len(self.matrix))
        if penalty > 0:
            found = scipy.linalg.solve(system, self.right, assume_a="pos")
        else:  # features may be copies of each other: then that of the least norm
            found = scipy.linalg.lstsq(system, self.right)[0]
        kernel: Doubles = found if self.back is None else self.back.T @ found
        return kernel, self.mean - float(self.center @ kernel)
