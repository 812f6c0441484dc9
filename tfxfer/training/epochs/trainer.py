"""Trains the epochs of a phase, within the time budget, and keeps the best weights."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import keras
import numpy as np

from tfxfer.config.decided import DecidedTraining, GradientPhase
from tfxfer.models.objectives import Objective, Scores
from tfxfer.models.replicas.choosing import choose_devices
from tfxfer.models.replicas.placement import OneDevice, placed, rate_factors_of
from tfxfer.runs.budget import affordable_epochs
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.journal import BestWeights, PhaseSize
from tfxfer.runs.search.journals import PhaseJournal
from tfxfer.training.epochs.averaging import NoAverage, WeightAverage
from tfxfer.training.epochs.callbacks import Checkpointing, Course, PhaseRecorder
from tfxfer.training.epochs.loop import Batches, compiled_view, phase_length, run_epochs
from tfxfer.training.epochs.optimizers import later_schedule
from tfxfer.training.epochs.pool import Pooling, WeightPool
from tfxfer.training.epochs.state import (
    restore_metrics,
    restore_training_state,
    training_state,
)

# Time reserved for the end: passes over the validation images, for evaluating all splits, and the
# export (measured: 6 s, and 30 s on a slow machine).
_RESERVED_PASSES, EXPORT_SECONDS = 2, 20.0

# Executions of one or more steps that are timed to see how many fit into the time budget.
_TIMED_STEPS = 5

# A pass over validation that takes less than this share of the remaining time is timed again.
_SHORT_PASS = 0.02


@dataclass(frozen=True)
class PhaseTraining:
    """The training of one phase of a run.

    Attributes:
        journal: Journal of the run, or of a trial; afterwards `journal.best` has the best weights.
        config: Settings of the run.
        name: Name of the phase: "head", "finetune" or "pretrain".
        phase: Settings of the phase, all decided.
        model: The model to train; it gives logits.
        kept: The model whose weights are kept when they are the best so far.
        batches: Batches of the phase.
        validate: Returns the current scores on validation.
        objective: Loss and metric of the training.
        part: The part of the classifier that `kept` is.
        max_steps_per_execution: See `compiled_view`.
        rate_factors: See `build_optimizer`.
        ema: Momentum of the average of the weights, which is evaluated and kept in their place; 0
            for the weights themselves.
        patience: Epochs without improvement before early stopping; 0 disables it.
        pool: Keeps the weights of the best epochs, as far as it has room.
        passes_after: Passes over validation that follow the phase, for the time budget.
        span: The first epoch of the phase that this training is for, and the one behind the last;
            None for all.
    """

    journal: PhaseJournal
    config: DecidedTraining
    name: str
    phase: GradientPhase
    model: keras.Model
    kept: keras.Model
    batches: Batches
    validate: Callable[[], Scores]
    objective: Objective
    part: Literal["head", "model"] = "model"
    max_steps_per_execution: int = 1
    rate_factors: Mapping[int, float] | None = None
    ema: float = 0.0
    patience: int = 0
    pool: WeightPool = field(default_factory=WeightPool)
    passes_after: int = 0
    span: tuple[int, int] | None = None

    @functools.cached_property
    def place(self) -> OneDevice:
        """Where the model is trained: on one device, or as a copy on several."""
        if self.part == "head":
            # A step on features takes less time than adding up gradients of several devices.
            return OneDevice(self.model)
        return placed(self.model, choose_devices(self.config, self.objective).in_all)

    @functools.cached_property
    def view(self) -> keras.Model:
        """The model, or its copy, compiled for the phase."""
        place = self.place
        with place.compiling():
            view = compiled_view(
                place.model,
                self.phase,
                self.config,
                self.batches.steps,
                place.steps_at_once(self.max_steps_per_execution),
                place.objective(self.objective),
                rate_factors_of(place, self.model, self.rate_factors),
                later_schedule(self.phase, self.batches.steps, self._first_epoch),
            )
            place.adapt(view.optimizer)
        return view

    def _divided(self, first: int, end: int, step: int) -> Any:
        """Returns the batches of epochs as the devices take them; see `Batches`."""
        return self.place.read(self.batches.of, first, end, step)

    @property
    def _first_epoch(self) -> int:
        return 0 if self.span is None else self.span[0]

    @property
    def _end(self) -> int:
        return self.phase.epochs if self.span is None else self.span[1]

    def run(self, checkpoint: Checkpoint) -> None:
        """Trains the remaining epochs, or as many as fit into the time budget.

        Args:
            checkpoint: Where the phase starts or resumes; the model is restored to it.

        Raises:
            DivergenceError: The loss became NaN or far too high.
            InterruptionError: A signal was received; a checkpoint was saved.
        """
        self.within_budget().run_span(checkpoint)

    def run_span(self, checkpoint: Checkpoint) -> None:
        """Trains the remaining epochs of the span, whatever the time budget; see `run`."""
        journal, view, epochs, place = self.journal, self.view, self.phase.epochs, self.place
        place.begin()
        epoch, step, wait = (checkpoint.state[key] for key in ("epoch", "step", "waited"))
        if "model" in checkpoint.arrays:
            restore_training_state(view, checkpoint.arrays)
            journal.say(f"resuming the {self.name} phase after {_place(epoch, step, epochs)}")
        # However short the time budget, the run must end with trained weights.
        out_of_time = journal.budget.is_exhausted and journal.best is not None
        if epoch >= self._end or (self.patience and wait >= self.patience) or out_of_time:
            return
        guess_loss = self.objective.guess_loss(view.output_shape[-1])
        objective = self.objective
        course = Course(self.name, epochs, guess_loss, self.patience, wait, step, objective)
        callbacks = [*self._callbacks(course, checkpoint), *journal.callbacks]
        remaining = {"epochs": self._end, "first_epoch": epoch, "first_step": step}
        with journal.interruptions.deferred(), place.training():
            run_epochs(view, Batches(self.batches.steps, self._divided), callbacks, **remaining)
        place.collect()
        journal.interruptions.check()

    def _callbacks(self, course: Course, checkpoint: Checkpoint) -> list[keras.callbacks.Callback]:
        """Returns what averages, scores, keeps and saves the weights, in this order."""
        journal, view = self.journal, self.view
        average = self._average(checkpoint)

        def validate() -> Scores:
            self.place.collect()
            with self.place.apart(), average.applied():
                return self.place.scored(self.validate)

        def weights() -> list[np.ndarray]:
            with average.applied():
                found: list[np.ndarray] = self.kept.get_weights()
            return found

        def keep_best() -> None:
            journal.best = BestWeights(self.part, weights())

        def restore_epoch(number: int, logs: Mapping[str, Any] | None = None) -> None:
            if course.first_step and number == checkpoint.state["epoch"]:
                restore_metrics(view, checkpoint.arrays)  # Keras has just reset them

        def more() -> dict[str, list[np.ndarray]]:
            return {**average.state(), **self.pool.state()}

        recorder = PhaseRecorder(journal.history, course, validate, keep_best, journal.say)
        return [
            keras.callbacks.LambdaCallback(on_epoch_begin=restore_epoch),
            average,
            recorder,
            Pooling(self.pool, weights),
            # After the recorder: a checkpoint includes the epoch in its history.
            Checkpointing(journal, course.first_step, lambda: recorder.wait, more),
        ]

    def _average(self, checkpoint: Checkpoint) -> WeightAverage | NoAverage:
        """Returns the average of the weights, as far as it was in a checkpoint."""
        if not self.ema:
            return NoAverage()
        average = WeightAverage(self.kept, self.ema, self.place.value_of)
        if "average" in checkpoint.arrays:
            average.restore(checkpoint.arrays)
        return average

    def within_budget(self) -> Self:
        """Returns the training shortened to the epochs and steps that fit into the time budget."""
        if not self.journal.budget.is_limited:
            return self
        sizes = self.journal.notes.sizes
        if self.name not in sizes:
            sizes[self.name] = self.affordable(self.phase.epochs)
        size = sizes[self.name]
        if size == PhaseSize(self.phase.epochs, self.batches.steps):
            return self
        length = phase_length(size.epochs, size.steps)
        self.journal.say(f"{self.name}: shortened to {length} to fit the time budget")
        return dataclasses.replace(
            self,
            phase=dataclasses.replace(self.phase, epochs=size.epochs),
            batches=dataclasses.replace(self.batches, steps=size.steps),
        )

    def affordable(self, epochs: int) -> PhaseSize:
        """Returns how many epochs and steps fit into the remaining time.

        Times a few steps and restores the state before them.

        Args:
            epochs: Maximum number of epochs.
        """
        view, budget = self.view, self.journal.budget
        before = training_state(view)
        ends: list[float] = []
        clock = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
        )
        steps_per_execution = view.steps_per_execution
        with self.place.training():
            view.fit(
                self._divided(0, epochs, 0),
                steps_per_epoch=min(
                    _TIMED_STEPS * steps_per_execution, self.batches.steps * epochs
                ),
                callbacks=[clock],
                shuffle=False,
                verbose=0,
            )
        restore_training_state(view, before)
        # The first step and the first pass over validation include compilation, which dominates a
        # short pass.
        seconds = float(np.median(np.diff(ends))) if len(ends) > 1 else 0.0
        step_seconds = seconds / steps_per_execution
        pass_seconds = self._seconds_to_validate()
        if pass_seconds < _SHORT_PASS * budget.left():
            pass_seconds = self._seconds_to_validate()
        passes = _RESERVED_PASSES + self.passes_after
        affordable = affordable_epochs(
            budget.left() - passes * pass_seconds - EXPORT_SECONDS,
            step_seconds,
            pass_seconds,
            self.batches.steps,
            epochs,
            steps_per_execution,
        )
        return PhaseSize(*affordable)

    def _seconds_to_validate(self) -> float:
        start = time.perf_counter()
        self.validate()
        return time.perf_counter() - start


def _place(epoch: int, step: int, epochs: int) -> str:
    """Returns where a phase is resumed, as text."""
    return f"step {step} of epoch {epoch + 1}" if step else f"epoch {epoch} of {epochs}"
