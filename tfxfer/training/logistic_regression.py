"""The linear head, fitted to convergence: logistic regression on features.

Multinomial, or binary for each of several labels. It needs only NumPy and SciPy. On cached features
the whole fit takes less time than compiling the first step of a gradient method, and there is no
learning rate or seed to choose.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import threadpoolctl

from tfxfer.models.objectives import NOT_VALIDATED, SOFTMAX, Objective, Scores
from tfxfer.training.examples import Examples, Floats

# From the strongest penalty to one that hardly matters on standardized features.
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4)

# Penalties in a row without a lower validation loss, after which weaker ones do not help.
_PATIENCE = 2

# L-BFGS has converged when the largest component of the gradient is below this: the loss is then
# within about 1e-5 of its minimum. Ten times as much is enough to compare penalties, and takes half
# the iterations (measured on 2,000 images of CIFAR-10: 80 instead of 197).
_TOLERANCE = 1e-4

_PATH_TOLERANCE = 1e-3
# History size of L-BFGS; the default of SciPy and scikit-learn.
_MEMORY = 10


@dataclass(frozen=True)
class Iteration:
    """Scores of the head after one iteration of L-BFGS.

    Losses exclude the L2 penalty. All four are means weighted by the sample weights.
    """

    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Solution:
    """The head fitted with one L2 penalty.

    Attributes:
        penalty: L2 penalty of the kernel; see `solve`.
        kernel: Shape (num_features, num_classes), or (num_features, 1) for ordered classes.
        bias: Shape (num_classes,).
        iterations: Scores after each iteration; the last are those of the solution.
    """

    penalty: float
    kernel: Floats
    bias: Floats
    iterations: tuple[Iteration, ...]

    @property
    def scores(self) -> Iteration:
        """Scores of the solution."""
        return self.iterations[-1]


@dataclass(frozen=True)
class Problem:
    """The optimization problem of a head.

    Attributes:
        train, validation: Examples with standardized features; validation, if any, has no effect.
        num_classes: Number of logits.
        max_iterations: Maximum number of iterations per penalty.
        label_smoothing: Share of the target spread over all classes, in [0, 1).
        objective: What the head is trained for.
    """

    train: Examples
    validation: Examples | None
    num_classes: int
    max_iterations: int
    label_smoothing: float = 0.0
    objective: Objective = SOFTMAX


def solve_path(
    problem: Problem,
    penalties: tuple[float, ...] = PENALTIES,
    before: tuple[Solution, ...] = (),
) -> Iterator[Solution]:
    """Yields the head for each L2 penalty, strongest first, each warm-started from the previous.

    Solutions are precise enough to choose the best, which `converged` then refines. Stops after two
    penalties in a row without a lower validation loss.

    Args:
        problem: The problem to solve.
        penalties: L2 penalties in descending order.
        before: Known solutions for the first penalties; they are not yielded.

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


def converged(solution: Solution, problem: Problem) -> Solution:
    """Returns a solution of `solve_path` refined to convergence, with all its iterations.

    Args:
        solution: The solution to refine.
        problem: Its problem; `max_iterations` includes the iterations so far.
    """
    left = problem.max_iterations - len(solution.iterations)
    if left <= 0:
        return solution
    rest = dataclasses.replace(problem, max_iterations=left)
    end = solve(rest, solution.penalty, solution)
    return dataclasses.replace(end, iterations=(*solution.iterations, *end.iterations))


def solve(
    problem: Problem,
    penalty: float,
    start: Solution | None = None,
    tolerance: float = _TOLERANCE,
) -> Solution:
    """Returns the head that minimizes mean cross-entropy plus `penalty / 2` * ||kernel||^2.

    L-BFGS (Liu & Nocedal 1989, Mathematical Programming 45). Without label smoothing,
    scikit-learn's `LogisticRegression(C=1 / (penalty * num_examples))` has the same solution, for
    each of several labels. With sample weights the mean is `sum(weight * loss) / num_examples`.

    Args:
        problem: The problem to solve.
        penalty: L2 penalty, at least 0. With 0, linearly separable examples have no solution, and
            `max_iterations` ends the search.
        start: Initial solution; None starts from zero.
        tolerance: Largest component of the gradient at convergence.

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
        first = np.zeros(problem.train.features.shape[1] * search.width + problem.num_classes)
    else:
        first = np.concatenate([start.kernel.ravel(), start.bias]).astype(np.float64)
    options = {"maxiter": problem.max_iterations, "maxcor": _MEMORY, "gtol": tolerance, "ftol": 0.0}
    # BLAS threads spin while they wait for each other. On matrices of this size, next to the
    # threads of TensorFlow, two were up to ninety times slower than one (measured).
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        found = scipy.optimize.minimize(
            search.objective,
            first,
            jac=True,
            method="L-BFGS-B",
            callback=search.record,
            options=options,
        ).x
        if not search.iterations:  # it started at the solution
            search.record(found)
    kernel, bias = search.unpack(found)
    return Solution(penalty, kernel, bias, tuple(search.iterations))


class _Search:
    """Objective and callback of L-BFGS, with the scores after each iteration.

    Args:
        problem: The problem to solve.
        penalty: L2 penalty of the kernel.
    """

    def __init__(self, problem: Problem, penalty: float) -> None:
        self.iterations: list[Iteration] = []
        self._problem = problem
        self._penalty = penalty
        self._latest = Scores(np.inf, 0.0)  # at the last evaluation
        # Of the kernel: outputs of ordered classes share their weights.
        self.width = 1 if problem.objective.is_ordered else problem.num_classes

    def unpack(self, flat: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Returns the kernel and the bias in a vector of both."""
        num_features = self._problem.train.features.shape[1]
        values, end = flat.astype(np.float32), num_features * self.width
        return values[:end].reshape(num_features, self.width), values[end:]

    def objective(self, flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        """Returns the value to minimize and its gradient."""
        train = self._problem.train
        kernel, bias = self.unpack(flat)
        self._latest, slope = self._scores(train.features @ kernel + bias, train)
        # A mean over labels, which share nothing: in a sum, each is solved as if it were alone.
        number = self._problem.objective.num_problems(self._problem.num_classes)
        slope *= number
        shared = slope.sum(axis=1, keepdims=True) if self.width < slope.shape[1] else slope
        of_kernel = train.features.T @ shared + self._penalty * kernel
        gradient = np.concatenate([of_kernel.ravel(), slope.sum(axis=0)]).astype(np.float64)
        value = number * self._latest[0] + self._penalty / 2 * float(np.vdot(kernel, kernel))
        return value, gradient

    def record(self, flat: npt.NDArray[np.float64]) -> None:
        """Records an iteration, which ends at the last evaluation of the objective."""
        validation, scores = self._problem.validation, NOT_VALIDATED
        kernel, bias = self.unpack(flat)
        if validation is not None:
            scores, _ = self._scores(validation.features @ kernel + bias, validation)
        self.iterations.append(Iteration(*self._latest, *scores))

    def _scores(self, logits: Floats, examples: Examples) -> tuple[Scores, Floats]:
        """Returns loss and metric, and the gradient of the loss by the logits."""
        problem, labels, weights = self._problem, examples.labels, examples.weights
        told = logits, labels, problem.label_smoothing, weights
        loss, slope = problem.objective.loss_and_slope(*told)
        return Scores(loss, problem.objective.metric(logits, labels, weights)), slope


def path_as_state(path: Sequence[Solution]) -> tuple[dict[str, Any], dict[str, list[Floats]]]:
    """Returns solutions as a JSON-serializable dict, and lists of arrays."""
    facts = [{"penalty": one.penalty, "passes": [vars(x) for x in one.iterations]} for one in path]
    arrays = {"kernels": [one.kernel for one in path], "biases": [one.bias for one in path]}
    return {"path": facts}, arrays


def path_of_state(
    state: Mapping[str, Any], arrays: Mapping[str, Sequence[Floats]]
) -> list[Solution]:
    """Returns the solutions stored by `path_as_state`; an empty list if there is none."""
    if "path" not in state:
        return []
    solved = zip(state["path"], arrays["kernels"], arrays["biases"], strict=True)
    return [
        Solution(facts["penalty"], kernel, bias, tuple(Iteration(**x) for x in facts["passes"]))
        for facts, kernel, bias in solved
    ]


def best_solution(path: Sequence[Solution]) -> Solution:
    """Returns the solution with the lowest validation loss.

    With few validation images the loss is less noisy than the accuracy.

    Examples:
        >>> points = Examples(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> best_solution(list(solve_path(Problem(points, points, 2, 100), (1.0, 0.1)))).penalty
        0.1
    """
    return min(path, key=lambda solution: solution.scores.validation_loss)


def start_of_finetuning(path: Sequence[Solution], num_validation: float) -> Solution:
    """Returns the solution with the strongest L2 penalty within one standard error of the best.

    The one-standard-error rule of Breiman et al. (1984, Classification and Regression Trees,
    section 3.4.3), applied to validation accuracy. An overconfident head has hardly any gradient
    left for the backbone, and its first steps do more harm than good. Fine-tuned from this
    solution, five flowers end at a validation loss of 0.30 instead of 0.35, and the digits at an
    accuracy of 0.97 instead of 0.95 (measured).

    Args:
        path: Solutions, strongest penalty first.
        num_validation: Number of validation examples; the effective number if they are weighted.

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
