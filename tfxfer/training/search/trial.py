"""One trial: a short, complete schedule from the head that the finetune phase starts with."""

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.planning.portfolio import Way
from tfxfer.runs.journal import Journal
from tfxfer.runs.search.record import HEAD_ALONE
from tfxfer.system.progress import Progress
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.loop import run_epochs
from tfxfer.training.epochs.state import restore_generators
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.finetune_phase import finetune_phase
from tfxfer.training.phases import Materials, phase_training
from tfxfer.training.search.halving import Trial


@dataclass(frozen=True)
class Start:
    """The state in which every trial starts, which is also that of the finetune phase.

    Attributes:
        weights: The weights of the whole classifier: the best so far.
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

    def restore(self) -> None:
        """Loads the best weights and the generators' states into the classifiers."""
        classifiers = self.given.classifiers
        model = classifiers.trained.model
        model.set_weights(self.start.weights)
        restore_generators(model, self.start.generators)
        classifiers.update_exact()

    def head_alone(self, way: Way) -> Trial:
        """Returns the scores of the head without fine-tuning.

        Args:
            way: The way whose frozen activations are used; they are kept for its trials.
        """
        start = time.perf_counter()
        self.restore()
        losses, accuracy = self._scores(self._source(way))
        return Trial(HEAD_ALONE, 0, 0, losses, accuracy, _since(start))

    def training(self, way: Way, epochs: int) -> PhaseTraining:
        """Returns the training of a way, at its start."""
        self.restore()
        source = self._source(way)
        if self.start.head is not None:
            self.given.classifiers.trained.head.set_weights(self.start.head)
        classifier = self.given.classifiers.trained
        phase = finetune_phase("search", classifier, way.schedule(epochs), way.augment)
        return phase_training(self.given, phase, source)

    def run(self, way: Way, rung: int, epochs: int) -> Trial:
        """Trains a way for some epochs and returns how good its best epoch is.

        Raises:
            InterruptionError: A signal was received.
        """
        start = time.perf_counter()
        training, source = self.training(way, epochs), self._source(way)
        journal, average = self.given.journal, training.new_average()

        def scores() -> tuple[npt.NDArray[np.float64], float]:
            with average.applied():
                return self._scores(source)

        with Progress(f"search: {way.name}, step", epochs * training.batches.steps) as progress:
            recorder = _Recorder(journal, scores, progress)
            with journal.interruptions.deferred():
                run_epochs(training.view, training.batches, [average, recorder], epochs=epochs)
        journal.interruptions.check()
        losses, accuracy = recorder.best
        if not losses.size:
            losses = np.full(len(source.images["validation"]), math.inf)
        return Trial(way.name, rung, epochs, losses, accuracy, _since(start))

    def _source(self, way: Way) -> ActivationSource:
        """Makes the part that a way trains trainable, and returns the outputs' source.

        The activations of its frozen part are computed once, while that has its initial weights.
        """
        given, trainable = self.given, Trainable.of(way.finetune)
        given.classifiers.set_trainable(trainable)
        if trainable not in self._sources:
            halves = given.classifiers.exact.halves()
            self._sources[trainable] = ActivationSource(given.config, halves, given.images)
        self._sources[trainable].cached("validation")
        return self._sources[trainable]

    def _scores(self, source: ActivationSource) -> tuple[npt.NDArray[np.float64], float]:
        """Returns the weighted loss of each validation example, and the accuracy."""
        given = self.given
        given.classifiers.update_exact()
        objective, weights = given.classifiers.trained.objective, given.evaluation_weights()
        predictor = source.predictor("validation")
        logits, labels = predictor.outputs(), predictor.labels
        losses = objective.losses(logits, labels, given.config.label_smoothing)
        if weights is not None:
            losses = losses * (weights / weights.mean(dtype=np.float64))
        return losses, objective.metric(logits, labels, weights)


class _Recorder(keras.callbacks.Callback):
    """Keeps the scores of the epoch with the lowest validation loss.

    Training ends where it diverges, on a signal, or when the time budget is exhausted.
    """

    def __init__(self, journal: Journal, scores: Any, progress: Progress) -> None:
        super().__init__()
        self.best: tuple[npt.NDArray[np.float64], float] = (np.empty(0), 0.0)
        self._journal = journal
        self._scores = scores
        self._progress = progress
        self._steps = 0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Shows the progress, and ends training where it cannot go on."""
        self._steps += 1
        self._progress.update(self._steps)
        self._journal.interruptions.check()
        if not math.isfinite((logs or {}).get("loss", 0.0)) or self._journal.budget.is_exhausted:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Evaluates the epoch."""
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            return
        losses, accuracy = self._scores()
        loss = losses.mean()
        if math.isfinite(loss) and (not self.best[0].size or loss < self.best[0].mean()):
            self.best = losses, accuracy


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def trials_as_state(
    trials: list[Trial],
) -> tuple[list[dict[str, Any]], list[npt.NDArray[np.float64]]]:
    """Returns trials as JSON-serializable dicts, and their losses."""
    names = [one.name for one in dataclasses.fields(Trial) if one.name != "losses"]
    facts = [{name: getattr(trial, name) for name in names} for trial in trials]
    return facts, [trial.losses for trial in trials]


def trials_of_state(
    state: Mapping[str, Any], arrays: Mapping[str, list[npt.NDArray[np.float64]]]
) -> list[Trial]:
    """Returns the trials that `trials_as_state` returned; an empty list if there are none."""
    rows = state.get("trials", [])
    return [
        Trial(**facts, losses=losses)
        for facts, losses in zip(rows, arrays.get("losses", []), strict=True)
    ]
