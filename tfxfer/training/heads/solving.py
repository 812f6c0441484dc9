"""The head solved by L-BFGS or in closed form: one fit per L2 penalty; validation chooses."""

import time
from dataclasses import dataclass
from typing import Self

import keras
import numpy as np

from tfxfer.config.decided import DecidedFit, DecidedTextFit
from tfxfer.models.heads import head_weights
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.standardization import Standardization
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epoch
from tfxfer.runs.journal import Journal
from tfxfer.system.timing.timeline import span
from tfxfer.training.epochs.callbacks import solution_line
from tfxfer.training.examples import Examples
from tfxfer.training.heads.ridge import RIDGE_PENALTIES, solve_ridge_path
from tfxfer.training.logistic_regression import (
    PENALTIES,
    Problem,
    Solution,
    best_solution,
    converged,
    path_as_state,
    path_of_state,
    solve_path,
    start_of_finetuning,
)


@dataclass(frozen=True)
class StandardizedFeatures:
    """The standardized features of a head phase.

    Attributes:
        scale: Mean and standard deviation of the training features.
        train: Training examples.
        validation: Validation examples, if there are any.
    """

    scale: Standardization
    train: Examples
    validation: Examples | None

    @classmethod
    def of(cls, train: Examples, validation: Examples | None) -> Self:
        """Returns features on the scale of the training features."""
        scale = Standardization.of(train.features, train.example_weights)

        def scaled(some: Examples) -> Examples:
            return Examples(scale.apply(some.features), some.labels, some.weights)

        return cls(scale, scaled(train), None if validation is None else scaled(validation))


@dataclass(frozen=True)
class HeadSolver:
    """Fits a head to features.

    Attributes:
        journal: Journal of the run.
        config: Settings, all decided.
        head: The head; it has no hidden layers.
        features: The features.
        objective: What the head is trained for.
    """

    journal: Journal
    config: DecidedFit | DecidedTextFit
    head: keras.Model
    features: StandardizedFeatures
    objective: Objective = SOFTMAX

    def solve(self, checkpoint: Checkpoint) -> list[np.ndarray]:
        """Fits the head by L-BFGS for each L2 penalty, and keeps the best on validation.

        Args:
            checkpoint: Where the phase starts or resumes.

        Returns:
            Initial weights of the head for a finetune phase, which starts from a stronger penalty;
            see `start_of_finetuning`.
        """
        journal, problem = self.journal, self._problem()
        start = time.perf_counter()
        with span("solve the head"):
            path = self._solved_path(problem, checkpoint)
        validation = self.features.validation
        first = chosen = best_solution(path)
        # The overconfidence that it mends is one of classes.
        if validation is not None and not self.objective.is_number:
            first = start_of_finetuning(path, validation.effective_number)
        best = self._converged(chosen, problem)
        if first is not chosen and self.config.finetune.epochs:
            journal.notes.start_penalty = first.penalty
            journal.say(
                f"finetune: starts from the head with L2={first.penalty:g}, the strongest penalty "
                "whose val_accuracy is within one standard error of the best: a less confident "
                "head fine-tunes better"
            )
        seconds = (time.perf_counter() - start) / len(best.iterations)
        for number, scores in enumerate(best.iterations, start=1):
            epoch = Epoch("head", number, 1.0, **vars(scores), seconds=round(seconds, 4))
            journal.history.add(epoch, kept=scores is best.scores)
        journal.notes.penalty = best.penalty
        scale = self.features.scale
        self.head.set_weights(head_weights(*scale.absorbed(best.kernel, best.bias)))
        return head_weights(*scale.absorbed(first.kernel, first.bias))

    def _problem(self) -> Problem:
        """Returns the optimization problem of the head."""
        num_classes, config = self.head.output_shape[-1], self.config
        train, validation = self.features.train, self.features.validation
        iterations, smoothing = config.head.epochs, config.label_smoothing
        return Problem(train, validation, num_classes, iterations, smoothing, self.objective)

    def _solved_path(self, problem: Problem, checkpoint: Checkpoint) -> list[Solution]:
        """Returns the head for each L2 penalty; those in the checkpoint are not fitted again."""
        penalty, journal = self.config.head.penalty, self.journal
        path = path_of_state(checkpoint.state, checkpoint.arrays)
        is_number = self.objective.is_number
        solve = solve_ridge_path if is_number else solve_path
        penalties: tuple[float, ...] = RIDGE_PENALTIES if is_number else PENALTIES
        penalties = penalties if penalty is None else (penalty,)
        how = (
            ", in closed form"
            if is_number
            else ", each starting from the previous one, to a coarse tolerance"
        )
        if len(penalties) > 1 and not path:
            journal.say(
                f"head: one fit per L2 penalty, strongest first{how}; 'best' marks the lowest "
                "val_loss so far"
            )
        for solution in solve(problem, penalties, before=tuple(path)):
            previous = path[-1] if path and not is_number else None
            path.append(solution)
            if len(penalties) > 1:
                is_best = best_solution(path) is solution
                journal.say(solution_line(solution, is_best, previous, self.objective))
            if journal.is_due_after_epoch:
                journal.write(*path_as_state(path))
        return path

    def _converged(self, solution: Solution, problem: Problem) -> Solution:
        """Returns the best solution of the path, refined to convergence, and says so."""
        say, is_only_one = self.journal.say, self.config.head.penalty is not None
        refined = solution if self.objective.is_number else converged(solution, problem)
        if refined is not solution and not is_only_one:
            say(
                f"head: chose L2={solution.penalty:g} (lowest val_loss); now fitted to full "
                "convergence:"
            )
        if refined is not solution or is_only_one:
            say(solution_line(refined, best=False, objective=self.objective))
        return refined
