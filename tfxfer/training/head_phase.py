"""The head phase: the backbone is frozen, so each image passes it once."""

import dataclasses
import time
from dataclasses import dataclass

import numpy as np

from tfxfer.config.decided import GradientHead
from tfxfer.data.cache import in_blocks
from tfxfer.data.image.augmentation import NO_CHANGES
from tfxfer.errors import UsageError
from tfxfer.models.objectives import Scores
from tfxfer.models.standardization import Standardization
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epoch
from tfxfer.runs.journal import BestWeights
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import HEAD_ALONE
from tfxfer.training.epochs.callbacks import solution_line
from tfxfer.training.epochs.loop import Batches
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.examples import Examples
from tfxfer.training.features import FeatureFunction
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
from tfxfer.training.phases import Materials, Phase, train_on_images

# Steps on cached features that Keras runs per call from Python.
_MAX_STEPS_PER_EXECUTION = 32


@dataclass(frozen=True)
class HeadOutcome:
    """Result of the head phase, besides the best weights.

    Attributes:
        source: The source of the classifier's outputs on each split.
        start: Initial weights of the head for the finetune phase; None takes the best ones.
    """

    source: ActivationSource
    start: list[np.ndarray] | None


@dataclass(frozen=True)
class _Standardized:
    """The standardized features of the phase.

    Attributes:
        scale: Mean and standard deviation of the training features.
        train: Training examples.
        validation: Validation examples.
    """

    scale: Standardization
    train: Examples
    validation: Examples

    def problem(self, given: Materials) -> Problem:
        """Returns the optimization problem of the head."""
        num_classes = given.classifiers.trained.head.output_shape[-1]
        iterations, smoothing = given.config.head.epochs, given.config.label_smoothing
        objective = given.classifiers.trained.objective
        return Problem(self.train, self.validation, num_classes, iterations, smoothing, objective)


def train_head(given: Materials) -> HeadOutcome:
    """Trains the head alone, unless the run is past this phase.

    Args:
        given: Materials of the fit.

    Raises:
        UsageError: The head is trained by L-BFGS, but its features do not fit into memory.
    """
    config, classifiers, journal = given.config, given.classifiers, given.journal
    classifiers.set_trainable(HEAD_ALONE)
    exact = dataclasses.replace(config, precision="float32")
    function = FeatureFunction.of(classifiers.exact.features, exact, config.head.pooling)
    source = ActivationSource(config, classifiers.exact.halves(), given.images, function)
    start = None if journal.is_past("head") else _train(given, source)
    return HeadOutcome(source, start)


def _train(given: Materials, source: ActivationSource) -> list[np.ndarray] | None:
    """Trains the head with its optimizer, and returns `HeadOutcome.start`."""
    config, classifier, journal = given.config, given.classifiers.trained, given.journal
    checkpoint = journal.begin("head")
    given.note_trained()
    features = _standardized_features(given, source)
    if features is None:
        _train_on_images(given, source, checkpoint)
        return None
    start = None
    if isinstance(config.head, GradientHead):
        _train_on_features(given, config.head, features, checkpoint)
        journal.restore_best(classifier.head)
        classifier.absorb(features.scale)
    else:
        start = _solve(given, features, checkpoint)
    journal.best = BestWeights("model", classifier.model.get_weights())
    return start


def _train_on_images(given: Materials, source: ActivationSource, checkpoint: Checkpoint) -> None:
    """Trains the head by gradient steps on images, if its features do not fit into memory.

    Raises:
        UsageError: Its optimizer is L-BFGS.
    """
    config = given.config
    if config.head.optimizer == "lbfgs":
        raise UsageError(
            "Setting 'head.optimizer' is 'lbfgs', which needs all features in memory, but "
            f"they take more than {config.memory_gigabytes:g} GB. Raise "
            "--memory-gigabytes, or choose 'adam', 'adamw' or 'sgd'."
        )
    augment = config.augment if config.head.augmented_views else NO_CHANGES
    train_on_images(given, Phase("head", config.head, augment), source, checkpoint)


def _standardized_features(given: Materials, source: ActivationSource) -> _Standardized | None:
    """Returns the features of training and validation images; None if they do not fit."""
    train = source.cached_with_views("train", given.config.head.augmented_views)
    validation = source.cached("validation")
    if train is None or validation is None:
        return None
    scale = Standardization.of(train.features, train.example_weights)
    standardized = Examples(scale.apply(train.features), train.labels, train.weights)
    held_out = scale.apply(validation.features)
    return _Standardized(
        scale, standardized, Examples(held_out, validation.labels, given.evaluation_weights())
    )


def _solve(given: Materials, features: _Standardized, checkpoint: Checkpoint) -> list[np.ndarray]:
    """Fits the head by L-BFGS for each L2 penalty, and keeps the best on validation.

    Returns:
        Initial weights of the head for a finetune phase, which starts from a stronger penalty; see
        `start_of_finetuning`.
    """
    config, journal = given.config, given.journal
    start = time.perf_counter()
    problem = features.problem(given)
    path = _solved_path(given, problem, checkpoint)
    num_validation = features.validation.effective_number
    first, chosen = start_of_finetuning(path, num_validation), best_solution(path)
    best = _converged(given, chosen, problem)
    if first is not chosen and config.finetune.epochs:
        journal.notes.start_penalty = first.penalty
        journal.say(
            f"finetune: starts from the head with L2={first.penalty:g}, not {chosen.penalty:g}: "
            "the strongest penalty with a val_accuracy within one standard error of the best"
        )
    seconds = (time.perf_counter() - start) / len(best.iterations)
    for number, scores in enumerate(best.iterations, start=1):
        epoch = Epoch("head", number, 1.0, **vars(scores), seconds=round(seconds, 4))
        journal.history.add(epoch, kept=scores is best.scores)
    journal.notes.penalty = best.penalty
    scale, head = features.scale, given.classifiers.trained.head
    head.set_weights(scale.absorbed(best.kernel, best.bias))
    return list(scale.absorbed(first.kernel, first.bias))


def _solved_path(given: Materials, problem: Problem, checkpoint: Checkpoint) -> list[Solution]:
    """Returns the head for each L2 penalty; those in the checkpoint are not fitted again."""
    penalty, journal = given.config.head.penalty, given.journal
    path = path_of_state(checkpoint.state, checkpoint.arrays)
    penalties = PENALTIES if penalty is None else (penalty,)
    if len(penalties) > 1 and not path:
        journal.say(
            "head: one fit per L2 penalty, strongest first, each starting from the previous one; "
            "'best' marks the lowest val_loss so far"
        )
    for solution in solve_path(problem, penalties, before=tuple(path)):
        previous = path[-1] if path else None
        path.append(solution)
        if len(penalties) > 1:
            journal.say(solution_line(solution, best_solution(path) is solution, previous))
        if journal.is_due_after_epoch:
            journal.write(*path_as_state(path))
    return path


def _converged(given: Materials, solution: Solution, problem: Problem) -> Solution:
    """Returns the best solution of the path, refined to convergence, and says so."""
    say, is_only_one = given.journal.say, given.config.head.penalty is not None
    refined = converged(solution, problem)
    if refined is not solution and not is_only_one:
        say(f"head: the fit with L2={solution.penalty:g} is the best and continues to convergence")
    if refined is not solution or is_only_one:
        say(solution_line(refined, best=True))
    return refined


def _train_on_features(
    given: Materials, phase: GradientHead, features: _Standardized, checkpoint: Checkpoint
) -> None:
    """Trains the head by gradient steps on features; `journal.best` gets its best weights."""
    config, classifier = given.config, given.classifiers.trained
    head, objective = classifier.head, classifier.objective
    train, validation = features.train, features.validation

    def validate() -> Scores:
        # Called directly: compiling it and Keras' own batching take far longer.
        logits = [np.asarray(head(x, training=False)) for x in in_blocks(validation.features)]
        return objective.scores(
            np.concatenate(logits), validation.labels, config.label_smoothing, validation.weights
        )

    PhaseTraining(
        journal=given.journal,
        config=config,
        name="head",
        phase=phase,
        model=head,
        kept=head,
        part="head",
        batches=Batches.of_examples(train, config),
        validate=validate,
        objective=objective,
        # A step on features takes less time than its Python overhead.
        max_steps_per_execution=_MAX_STEPS_PER_EXECUTION,
    ).run(checkpoint)
