"""The head phase: the backbone is frozen, so each image passes it once."""

from dataclasses import dataclass

import numpy as np

from tfxfer.config.decided import GradientHead
from tfxfer.data.cache import in_blocks
from tfxfer.data.image.augmentation.changes import NO_CHANGES
from tfxfer.errors import UsageError
from tfxfer.models.objectives import NOT_VALIDATED, Scores
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.journal import BestWeights, Notes
from tfxfer.system.processes.messages import Message
from tfxfer.system.processes.team import current, is_first
from tfxfer.training.classifier_pair import HEAD_ALONE
from tfxfer.training.epochs.state import generator_states, restore_generators
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.examples import Examples
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.heads.solving import HeadSolver, StandardizedFeatures
from tfxfer.training.phases import Materials, Phase, example_batches, train_on_images

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


def train_head(given: Materials) -> HeadOutcome:
    """Trains the head alone, unless the run is past this phase.

    Args:
        given: Materials of the fit.

    Raises:
        UsageError: The head is trained by L-BFGS, but its features do not fit into memory.
    """
    config, classifiers, journal = given.config, given.classifiers, given.journal
    classifiers.set_trainable(HEAD_ALONE)
    features = classifiers.first_features
    source = ActivationSource(config, classifiers.exact.halves(), given.images, features)
    start = None if journal.is_past("head") else _train(given, source)
    return HeadOutcome(source, start)


def _train(given: Materials, source: ActivationSource) -> list[np.ndarray] | None:
    """Trains the head with its optimizer, and returns `HeadOutcome.start`."""
    classifier, journal = given.classifiers.trained, given.journal
    checkpoint = journal.begin("head")
    given.note_trained()
    features = _standardized_features(given, source)
    if features is None:
        _train_on_images(given, source, checkpoint)
        return None
    found = features  # never None, which mypy cannot know inside a function

    def tell() -> Message:
        start = _on_features(given, found, checkpoint)
        arrays = {
            "head": classifier.head.get_weights(),
            "generators": generator_states(classifier.model),
        }
        state = {"notes": journal.notes.as_json(), "history": journal.history.as_json()}
        return Message(state, arrays if start is None else {**arrays, "start": start})

    # It takes less time than adding up the gradients of several processes.
    told = current().from_first(tell)
    if not is_first():
        journal.notes = Notes.of_json(told.state["notes"])
        journal.history.replace(told.state["history"])
    classifier.head.set_weights(told.arrays["head"])
    restore_generators(classifier.model, told.arrays["generators"])
    journal.best = BestWeights("model", classifier.model.get_weights())
    return told.arrays.get("start")


def _on_features(
    given: Materials, features: StandardizedFeatures, checkpoint: Checkpoint
) -> list[np.ndarray] | None:
    """Trains the head on features, and returns `HeadOutcome.start`."""
    config, classifier, journal = given.config, given.classifiers.trained, given.journal
    if isinstance(config.head, GradientHead):
        _train_on_features(given, config.head, features, checkpoint)
        journal.restore_best(classifier.head)
        classifier.absorb(features.scale)
        return None
    solver = HeadSolver(journal, config, classifier.head, features, classifier.objective)
    return solver.solve(checkpoint)


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
    augment = config.augment.unmixed() if config.head.augmented_views else NO_CHANGES
    train_on_images(given, Phase("head", config.head, augment), source, checkpoint)


def _standardized_features(
    given: Materials, source: ActivationSource
) -> StandardizedFeatures | None:
    """Returns the features of training and validation images; None if they do not fit."""
    train = source.cached_with_views("train", given.config.head.augmented_views)
    if not given.is_validated:
        return None if train is None else StandardizedFeatures.of(train, None)
    validation = source.cached("validation")
    if train is None or validation is None:
        return None
    return StandardizedFeatures.of(
        train, Examples(validation.features, validation.labels, given.evaluation_weights())
    )


def _train_on_features(
    given: Materials, phase: GradientHead, features: StandardizedFeatures, checkpoint: Checkpoint
) -> None:
    """Trains the head by gradient steps on features; `journal.best` gets its best weights."""
    config, classifier = given.config, given.classifiers.trained
    head, objective = classifier.head, classifier.objective
    train, validation = features.train, features.validation

    def validate() -> Scores:
        if validation is None:
            return NOT_VALIDATED
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
        batches=example_batches(train, config),
        validate=validate,
        objective=objective,
        # A step on features takes less time than its Python overhead.
        max_steps_per_execution=_MAX_STEPS_PER_EXECUTION,
    ).run(checkpoint)
