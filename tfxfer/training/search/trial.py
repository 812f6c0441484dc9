"""One trial of a search: a whole finetune phase, from the head that every trial starts with."""

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.errors import DivergenceError
from tfxfer.planning.ways.way import Way
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.runs.search.record import HEAD_ALONE
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.state import restore_generators
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.epochs.validation import ExampleScores, score_examples
from tfxfer.training.finetune_phase import finetune_phase
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.phases import Materials, Phase, phase_training
from tfxfer.training.rates.gradual import train_finetuning
from tfxfer.training.search.choosing import Trial

# The fields of a trial that are arrays.
_ARRAYS = ("losses", "hits")


@dataclass(frozen=True)
class Start:
    """The state in which every trial starts.

    Attributes:
        weights: The weights of the whole classifier after the head phase.
        head: Initial weights of the head; None takes those of `weights`.
        generators: States of the random generators.
    """

    weights: list[np.ndarray]
    head: list[np.ndarray] | None
    generators: list[np.ndarray]


@dataclass(frozen=True)
class Laboratory:
    """What trials share.

    Attributes:
        given: Materials of the fit.
        start: The state in which every trial starts.
    """

    given: Materials
    start: Start
    _sources: dict[Trainable, ActivationSource] = field(default_factory=dict)

    @property
    def score_name(self) -> str:
        """What the accuracy of a trial is called."""
        return self.given.classifiers.trained.objective.score_name

    def restore(self) -> None:
        """Loads the initial weights and the generators' states into the classifiers."""
        classifiers = self.given.classifiers
        model = classifiers.trained.model
        model.set_weights(self.start.weights)
        restore_generators(model, self.start.generators)
        classifiers.update_exact()

    def head_alone(self, way: Way) -> Trial:
        """Returns the scores of the head without fine-tuning.

        Args:
            way: The way whose frozen activations are used; they are kept for its trial.
        """
        self.restore()
        return Trial(HEAD_ALONE, 0, 0, **vars(self._scores(self.source(way))), seconds=0.0)

    def training(self, way: Way, journal: TrialJournal) -> PhaseTraining:
        """Returns the training of a way, at its start."""
        return phase_training(self._given_for(way), self._begun(way), self.source(way), journal)

    def _given_for(self, way: Way) -> Materials:
        """Returns the materials with the seed of a way."""
        config = dataclasses.replace(self.given.config, seed=self.given.config.seed + way.seed)
        return dataclasses.replace(self.given, config=config)

    def _begun(self, way: Way) -> Phase:
        """Returns the phase of a way, with the classifiers at its start."""
        self.restore()
        self.source(way)
        classifier = self.given.classifiers.trained
        if self.start.head is not None:
            classifier.head.set_weights(self.start.head)
        return finetune_phase("finetune", classifier, way.finetune, way.augment)

    def run(self, way: Way, journal: TrialJournal, checkpoint: Checkpoint, head: Trial) -> Trial:
        """Trains the remaining epochs of a way and returns how good its best one is.

        Args:
            way: The way.
            journal: Journal of the trial; it has the weights of the best epoch afterwards.
            checkpoint: Where the trial starts or resumes.
            head: The head alone, whose scores are those of a way without a better epoch.

        Raises:
            InterruptionError: A signal was received.
        """
        phase, source = self._begun(way), self.source(way)
        started, has_diverged = time.monotonic(), False
        try:
            train_finetuning(self._given_for(way), phase, source, journal, checkpoint)
        except DivergenceError as error:
            journal.say(f"note: {error}")
            journal.best, has_diverged = None, True
        epochs, best = journal.history.epochs, journal.history.best
        # With the activations before the epochs; a resumed trial took longer than this process.
        spent = max(time.monotonic() - started, sum(epoch.seconds for epoch in epochs))
        seconds = round(spent, 3)
        trial = dataclasses.replace(
            head, way=way.name, epochs=len(epochs), seconds=seconds, is_plain=way.is_plain
        )
        if has_diverged:
            losses, hits = np.full_like(head.losses, math.inf), np.zeros_like(head.hits)
            return dataclasses.replace(trial, losses=losses, hits=hits, accuracy=0.0)
        if journal.best is None or best is None:
            return trial
        self.given.classifiers.trained.model.set_weights(journal.best.arrays)
        return dataclasses.replace(trial, best_epoch=best.epoch, **vars(self._scores(source)))

    def source(self, way: Way) -> ActivationSource:
        """Makes the part that a way trains trainable, and returns the outputs' source.

        The activations of its frozen part are computed once, while that has its initial weights;
        those of the training images are kept while further ways train the same part.
        """
        trainable = Trainable.of(way.finetune)
        for other, source in self._sources.items():
            if other != trainable:
                source.release("train")
        if trainable in self._sources:
            self.given.classifiers.set_trainable(trainable)
        else:
            self._sources[trainable] = self.given.source(trainable)
        self._sources[trainable].cached("validation")
        return self._sources[trainable]

    def _scores(self, source: ActivationSource) -> ExampleScores:
        """Returns the scores of the classifier, as it is now, on validation."""
        given = self.given
        given.classifiers.update_exact()
        objective = given.classifiers.trained.objective
        return score_examples(source.predictor("validation"), objective, given.evaluation_weights())


def trials_as_state(
    trials: list[Trial],
) -> tuple[list[dict[str, Any]], dict[str, list[npt.NDArray[Any]]]]:
    """Returns trials as JSON-serializable dicts, and their arrays by name."""
    names = [one.name for one in dataclasses.fields(Trial) if one.name not in _ARRAYS]
    facts = [{name: getattr(trial, name) for name in names} for trial in trials]
    return facts, {name: [getattr(trial, name) for trial in trials] for name in _ARRAYS}


def trials_of_state(
    state: Mapping[str, Any], arrays: Mapping[str, list[npt.NDArray[Any]]]
) -> list[Trial]:
    """Returns the trials that `trials_as_state` returned; an empty list if there are none."""
    columns = zip(*(arrays.get(name, []) for name in _ARRAYS), strict=True)
    return [
        Trial(**facts, **dict(zip(_ARRAYS, found, strict=True)))
        for facts, found in zip(state.get("trials", []), columns, strict=True)
    ]
