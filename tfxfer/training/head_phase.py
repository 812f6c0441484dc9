"""The head phase: the backbone is frozen, and each image passes it once."""

import dataclasses
import time
from dataclasses import dataclass

import numpy as np

from tfxfer.config.decided import GradientHead
from tfxfer.data.cache import in_blocks
from tfxfer.data.image.augmentation import NO_CHANGES
from tfxfer.errors import UsageError
from tfxfer.models.objectives import Scores
from tfxfer.models.standardisation import Standardisation
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
    finished,
    path_as_state,
    path_of_state,
    solve_path,
    start_of_finetuning,
)
from tfxfer.training.phases import Materials, Phase, train_on_images

# Steps on features between which Python is not asked.
_STEPS_TOGETHER = 32


@dataclass(frozen=True)
class HeadOutcome:
    """What the head phase leaves, beside the best weights.

    Attributes:
        source: What judges the classifier.
        start: Weights of the head at which a finetune phase begins; None is the best ones.
    """

    source: ActivationSource
    start: list[np.ndarray] | None


@dataclass(frozen=True)
class _Standardised:
    """The features of the phase at one scale.

    Attributes:
        scale: By which they were standardised.
        train: What the head learns from.
        validation: What judges it.
    """

    scale: Standardisation
    train: Examples
    validation: Examples

    def problem(self, given: Materials) -> Problem:
        """Returns what the head of a fit is solved for."""
        num_classes = given.classifiers.trained.head.output_shape[-1]
        passes, smoothing = given.config.head.epochs, given.config.label_smoothing
        return Problem(self.train, self.validation, num_classes, passes, smoothing)


def train_head(given: Materials) -> HeadOutcome:
    """Trains the head alone, unless the run is past that, and returns what the phase leaves.

    Raises:
        UsageError: The head is to be solved, and its features do not fit into the memory.
    """
    config, classifiers, journal = given.config, given.classifiers, given.journal
    classifiers.set_trainable(HEAD_ALONE)
    exact = dataclasses.replace(config, precision="float32")
    function = FeatureFunction.of(classifiers.exact.features, exact, config.head.pooling)
    source = ActivationSource(config, classifiers.exact.halves(), given.images, function)
    start = None if journal.is_past("head") else _train(given, source)
    return HeadOutcome(source, start)


def _train(given: Materials, source: ActivationSource) -> list[np.ndarray] | None:
    """Trains the head in the way of its settings, and returns `HeadOutcome.start`."""
    config, classifier, journal = given.config, given.classifiers.trained, given.journal
    begun = journal.begin("head")
    given.note_trained()
    features = _standardised_features(given, source)
    if features is None:
        _train_on_images(given, source, begun)
        return None
    start = None
    if isinstance(config.head, GradientHead):
        _train_on_features(given, config.head, features, begun)
        journal.put_best(classifier.head)
        classifier.absorb(features.scale)
    else:
        start = _solve(given, features, begun)
    journal.best = BestWeights("model", classifier.model.get_weights())
    return start


def _train_on_images(given: Materials, source: ActivationSource, begun: Checkpoint) -> None:
    """Trains the head by steps where its features do not fit into the memory.

    Raises:
        UsageError: It is to be solved.
    """
    config = given.config
    if config.head.optimizer == "lbfgs":
        raise UsageError(
            "Setting 'head.optimizer' is 'lbfgs', which needs the features in memory, but "
            f"they take more than {config.memory_gigabytes:g} GB. Raise "
            "--memory-gigabytes, or choose 'adam', 'adamw' or 'sgd'."
        )
    augment = config.augment if config.head.augmented_views else NO_CHANGES
    train_on_images(given, Phase("head", config.head, augment), source, begun)


def _standardised_features(given: Materials, source: ActivationSource) -> _Standardised | None:
    """Returns the features of the training and validation images, None where they do not fit."""
    train = source.kept_with_views("train", given.config.head.augmented_views)
    validation = source.kept("validation")
    if train is None or validation is None:
        return None
    scale = Standardisation.of(train.features, train.weights)
    learnt = Examples(scale.apply(train.features), train.labels, train.weights)
    judged = scale.apply(validation.features)
    return _Standardised(
        scale, learnt, Examples(judged, validation.labels, given.judging_weights())
    )


def _solve(given: Materials, features: _Standardised, begun: Checkpoint) -> list[np.ndarray]:
    """Solves the head by L-BFGS under each penalty, and keeps the best on validation.

    Where a finetune phase follows, it begins at another one, which is returned; see
    `start_of_finetuning`.
    """
    config, journal = given.config, given.journal
    beginning = time.perf_counter()
    problem = features.problem(given)
    path = _solved_path(given, problem, begun)
    num_validation = features.validation.effective_number
    first, best = start_of_finetuning(path, num_validation), best_solution(path)
    if first is not best and config.finetune.epochs:
        journal.say(f"the finetune phase begins at the head of penalty {first.penalty:g}")
    best = finished(best, problem)
    seconds = (time.perf_counter() - beginning) / len(best.passes)
    for number, scores in enumerate(best.passes, start=1):
        epoch = Epoch("head", number, 1.0, **vars(scores), seconds=round(seconds, 4))
        journal.history.add(epoch, kept=scores is best.scores)
    journal.notes.penalty = best.penalty
    scale, head = features.scale, given.classifiers.trained.head
    head.set_weights(scale.absorbed(best.kernel, best.bias))
    return list(scale.absorbed(first.kernel, first.bias))


def _solved_path(given: Materials, problem: Problem, begun: Checkpoint) -> list[Solution]:
    """Returns the head under each penalty; what was solved before is not solved again."""
    penalty, journal = given.config.head.penalty, given.journal
    path = path_of_state(begun.state, begun.arrays)
    penalties = PENALTIES if penalty is None else (penalty,)
    for solution in solve_path(problem, penalties, before=tuple(path)):
        path.append(solution)
        journal.say(solution_line(solution, best_solution(path) is solution))
        if journal.is_due_after_epoch:
            journal.write(*path_as_state(path))
    return path


def _train_on_features(
    given: Materials, phase: GradientHead, features: _Standardised, begun: Checkpoint
) -> None:
    """Trains the head by steps on features in memory; `journal.best` has its best weights."""
    config, classifier = given.config, given.classifiers.trained
    head, objective = classifier.head, classifier.objective
    train, validation = features.train, features.validation

    def validate() -> Scores:
        # Called as it is: to compile it, and to ask Keras for batches, takes far longer.
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
        # A step on features takes less time than Python's part in it.
        most_together=_STEPS_TOGETHER,
    ).run(begun)
