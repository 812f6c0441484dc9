"""The linear head, solved to its end: multinomial logistic regression on features.

NumPy and SciPy alone: with the features at hand the whole of it takes less time than to compile a
gradient method's first step, and there is no rate to choose, no seed, and nothing left to converge.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import threadpoolctl

from tfxfer.models.losses import smoothed_cross_entropy_and_slope
from tfxfer.models.objectives import accuracy
from tfxfer.training.examples import Examples, Floats

# From the strongest penalty to one that hardly binds on standardised features.
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4)

# After so many penalties in a row that made the validation loss worse, weaker ones do not help.
_PATIENCE = 2

# Where the largest component of the gradient is below this the solution is found: the loss is then
# within about 1e-5 of the least. To tell which penalty is best, ten times as much is enough, and
# takes half the passes (measured on 2,000 images of CIFAR-10: 80 instead of 197).
_TOLERANCE = 1e-4

_PATH_TOLERANCE = 1e-3

# Steps that L-BFGS remembers; SciPy's and scikit-learn's default.
_MEMORY = 10


@dataclass(frozen=True)
class Pass:
    """How a head does after one pass over the training examples.

    Losses are without the penalty; all four are means under the weights of the examples.
    """

    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Solution:
    """The head under one penalty.

    Attributes:
        penalty: Of the squared kernel; see `solve`.
        kernel: Shape (num_features, num_classes).
        bias: Shape (num_classes,).
        passes: One record for each iteration; the last is that of the solution.
    """

    penalty: float
    kernel: Floats
    bias: Floats
    passes: tuple[Pass, ...]

    @property
    def scores(self) -> Pass:
        """How the solution does."""
        return self.passes[-1]


@dataclass(frozen=True)
class Problem:
    """What a head is solved for.

    Attributes:
        train: What to learn from; standardised features.
        validation: What judges; it does not enter the solutions.
        num_classes: How many logits.
        max_passes: Iterations under each penalty, at the most.
        label_smoothing: Share of the target that is spread over all classes.
    """

    train: Examples
    validation: Examples
    num_classes: int
    max_passes: int
    label_smoothing: float = 0.0


def solve_path(
    problem: Problem,
    penalties: tuple[float, ...] = PENALTIES,
    before: tuple[Solution, ...] = (),
) -> Iterator[Solution]:
    """Yields the head under each penalty, from the strongest on, each begun at the one before.

    They are near enough to the solutions to tell which is best, for `finished` to bring to its end.
    Ends when two penalties in a row made the validation loss worse.

    Args:
        problem: What is solved.
        penalties: In descending order.
        before: The solutions under the first penalties, where they are known; they are not yielded.

    Examples:
        >>> points = Examples(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> path = solve_path(Problem(points, points, 2, 100), (1.0, 0.1))
        >>> [solution.penalty for solution in path]
        [1.0, 0.1]
    """
    found: Solution | None = None
    least, worse = np.inf, 0
    for number, penalty in enumerate(penalties):
        if number < len(before):
            found = before[number]
        else:
            found = solve(problem, penalty, found, _PATH_TOLERANCE)
            yield found
        worse = 0 if found.scores.validation_loss < least else worse + 1
        least = min(least, found.scores.validation_loss)
        if worse >= _PATIENCE:
            return


def finished(solution: Solution, problem: Problem) -> Solution:
    """Returns a solution of `solve_path` brought to its end, with all its passes.

    Args:
        solution: What to go on with.
        problem: Of which it is a solution; the passes are in all.
    """
    left = problem.max_passes - len(solution.passes)
    if left <= 0:
        return solution
    rest = dataclasses.replace(problem, max_passes=left)
    end = solve(rest, solution.penalty, solution)
    return dataclasses.replace(end, passes=(*solution.passes, *end.passes))


def solve(
    problem: Problem,
    penalty: float,
    start: Solution | None = None,
    tolerance: float = _TOLERANCE,
) -> Solution:
    """Returns the head of the least mean cross-entropy plus `penalty / 2` times the squared kernel.

    L-BFGS (Liu & Nocedal 1989, Mathematical Programming 45); scikit-learn's
    `LogisticRegression(C=1 / (penalty * num_examples))` has the same solution where labels are not
    smoothed. With weights the mean is `sum(weight * loss) / num_examples`, so that an example of
    weight 2 is as good as two.

    Args:
        problem: What is solved.
        penalty: At least 0; with 0, examples that a plane divides have no solution, and the passes
            end it.
        start: Where to begin; None is zero logits.
        tolerance: The largest component of the gradient at the end.

    Examples:
        >>> points = Examples(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> problem = Problem(points, points, 2, 100)
        >>> solve(problem, 1.0).kernel.round(2)
        array([[-0.34,  0.34]], dtype=float32)
        >>> solve(problem, 0.1).kernel.round(2)
        array([[-1.06,  1.06]], dtype=float32)
    """
    search = _Search(problem, penalty)
    if start is None:
        first = np.zeros((problem.train.features.shape[1] + 1) * problem.num_classes)
    else:
        first = np.vstack([start.kernel, start.bias]).ravel().astype(np.float64)
    options = {"maxiter": problem.max_passes, "maxcor": _MEMORY, "gtol": tolerance, "ftol": 0.0}
    # Threads of BLAS wait for each other in a loop that keeps their cores busy: on matrices of this
    # size, beside TensorFlow's own threads, two were up to ninety times slower than one (measured).
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        found = scipy.optimize.minimize(
            search.objective,
            first,
            jac=True,
            method="L-BFGS-B",
            callback=search.record,
            options=options,
        ).x
        if not search.passes:  # the start was the solution
            search.record(found)
    kernel, bias = search.unpack(found)
    return Solution(penalty, kernel, bias, tuple(search.passes))


class _Search:
    """What L-BFGS asks for, with a record of its passes.

    Args:
        problem: What is solved.
        penalty: Of the squared kernel.
    """

    def __init__(self, problem: Problem, penalty: float) -> None:
        self.passes: list[Pass] = []
        self._problem = problem
        self._penalty = penalty
        self._latest = (np.inf, 0.0)  # loss and accuracy where the objective was last looked at

    def unpack(self, flat: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Returns the kernel and the bias in a vector of both."""
        num_features = self._problem.train.features.shape[1]
        matrix = flat.astype(np.float32).reshape(num_features + 1, self._problem.num_classes)
        return matrix[:-1], matrix[-1]

    def objective(self, flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        """Returns what is to be least, and its gradient."""
        train = self._problem.train
        kernel, bias = self.unpack(flat)
        logits = train.features @ kernel + bias
        loss, slope = self._loss(logits, train)
        self._latest = loss, accuracy(logits, train.labels, train.weights)
        gradient = np.empty((len(kernel) + 1, self._problem.num_classes))
        gradient[:-1] = train.features.T @ slope + self._penalty * kernel
        gradient[-1] = slope.sum(axis=0)
        return loss + self._penalty / 2 * float(np.vdot(kernel, kernel)), gradient.ravel()

    def record(self, flat: npt.NDArray[np.float64]) -> None:
        """Takes down a pass, which ends where the objective was looked at last."""
        validation = self._problem.validation
        kernel, bias = self.unpack(flat)
        logits = validation.features @ kernel + bias
        loss, _ = self._loss(logits, validation)
        share = accuracy(logits, validation.labels, validation.weights)
        train_loss, train_accuracy = self._latest
        self.passes.append(Pass(train_loss, train_accuracy, loss, share))

    def _loss(self, logits: Floats, examples: Examples) -> tuple[float, Floats]:
        return smoothed_cross_entropy_and_slope(
            logits, examples.labels, self._problem.label_smoothing, examples.weights
        )


def path_as_state(path: Sequence[Solution]) -> tuple[dict[str, Any], dict[str, list[Floats]]]:
    """Returns solutions as what JSON can write, and lists of arrays."""
    facts = [{"penalty": one.penalty, "passes": [vars(x) for x in one.passes]} for one in path]
    arrays = {"kernels": [one.kernel for one in path], "biases": [one.bias for one in path]}
    return {"path": facts}, arrays


def path_of_state(
    state: Mapping[str, Any], arrays: Mapping[str, Sequence[Floats]]
) -> list[Solution]:
    """Returns the solutions that `path_as_state` was given; none where there is no path."""
    if "path" not in state:
        return []
    return [
        Solution(facts["penalty"], kernel, bias, tuple(Pass(**x) for x in facts["passes"]))
        for facts, kernel, bias in zip(
            state["path"], arrays["kernels"], arrays["biases"], strict=True
        )
    ]


def best_solution(path: Sequence[Solution]) -> Solution:
    """Returns the solution of the least validation loss.

    The loss tells more than the accuracy where validation images are few.

    Examples:
        >>> points = Examples(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> best_solution(list(solve_path(Problem(points, points, 2, 100), (1.0, 0.1)))).penalty
        0.1
    """
    return min(path, key=lambda solution: solution.scores.validation_loss)


def start_of_finetuning(path: Sequence[Solution], num_validation: float) -> Solution:
    """Returns the most penalised solution about as accurate as the best: within a standard error.

    The rule is Breiman et al.'s (1984, Classification and Regression Trees, section 3.4.3). A head
    that is sure of all training images has next to nothing to say to the backbone, and its first
    steps harm more than they help: fine-tuned from here five flowers end at a validation loss of
    0.30 rather than 0.35, and the digits at an accuracy of 0.97 rather than 0.95 (measured).

    Args:
        path: Solutions from the strongest penalty on.
        num_validation: How many examples the accuracies are of; of weighted ones the effective
            number.

    Examples:
        >>> points = Examples(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> path = list(solve_path(Problem(points, points, 2, 100), (1.0, 0.1)))
        >>> start_of_finetuning(path, 2).penalty  # as accurate as the other
        1.0
    """
    highest = max(solution.scores.validation_accuracy for solution in path)
    error = (highest * (1 - highest) / num_validation) ** 0.5
    return next(
        solution for solution in path if solution.scores.validation_accuracy >= highest - error
    )
