"""The passes over images that verbs share: the epochs of a phase, and the scores at the end."""

import contextlib
import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import keras
import numpy as np

from tfxfer.config.decided import DecidedRun, GradientPhase
from tfxfer.errors import DivergenceError
from tfxfer.models.objectives import Objective, Scores
from tfxfer.runs.budget import epochs_in
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.journal import TRAINED, BestWeights, Journal, PhaseSize
from tfxfer.system.files import replacing
from tfxfer.training.epochs.callbacks import Checkpointing, Course, PhaseRecorder
from tfxfer.training.epochs.loop import Batches, batch_size_of, compiled_view, run_epochs
from tfxfer.training.epochs.state import restore_metrics, restore_training_state, training_state

# What of the time is kept for the end: passes over validation images, in which the splits are
# scored, and the export (measured: 6 s, and 30 s on a slow machine).
_RESERVED_PASSES, _EXPORT_SECONDS = 2, 20.0

# Steps, or executions of several, that are timed to see how many fit into the time.
_TIMED_STEPS = 5

# The part of the time that is left within which a pass over validation is timed once more.
_SHORT_PASS = 0.02


@dataclass(frozen=True)
class PhaseTraining:
    """The training of one phase of a run.

    Attributes:
        journal: Of the run; `journal.best` has the best weights after it.
        config: Of the run.
        name: Of the phase: "head", "finetune" or "pretrain".
        phase: Its settings, all decided.
        model: To logits; what of it is trainable is trained.
        kept: The model of which the weights are kept when they are the best so far.
        part: What that is of the classifier.
        batches: Of the phase.
        validate: Returns how the model does on validation as it is now.
        objective: What the model is trained for.
        most_together: See `compiled_view`.
        patience: Epochs without a new best after which the phase stops; 0 never stops it.
    """

    journal: Journal
    config: DecidedRun
    name: str
    phase: GradientPhase
    model: keras.Model
    kept: keras.Model
    batches: Batches
    validate: Callable[[], Scores]
    objective: Objective
    part: Literal["head", "model"] = "model"
    most_together: int = 1
    patience: int = 0

    @functools.cached_property
    def view(self) -> keras.Model:
        """The model compiled for the phase."""
        steps = self.batches.steps
        return compiled_view(
            self.model, self.phase, self.config, steps, self.most_together, self.objective
        )

    def run(self, begun: Checkpoint) -> None:
        """Trains for what is left; in a budget of time, as many epochs as fit, at the most.

        Args:
            begun: Where the phase begins, or goes on; the model is put into its state.

        Raises:
            DivergenceError: The loss is no number any more, or far too high.
            InterruptionError: A signal has come; where the phase was is written down.
        """
        fitted = self._within_budget() if self.journal.budget.is_limited else self
        fitted._train(begun)

    def _train(self, begun: Checkpoint) -> None:
        journal, view, epochs = self.journal, self.view, self.phase.epochs
        epoch, step, waited = (begun.state[key] for key in ("epoch", "step", "waited"))
        if "model" in begun.arrays:
            restore_training_state(view, begun.arrays)
            journal.say(f"goes on in the {self.name} phase, after {_place(epoch, step, epochs)}")
        # A run has something to show for its time, however short that is.
        out_of_time = journal.budget.is_over and journal.best is not None
        if epoch >= epochs or (self.patience and waited >= self.patience) or out_of_time:
            return

        def keep_best() -> None:
            journal.best = BestWeights(self.part, self.kept.get_weights())

        def go_on(number: int, logs: Mapping[str, Any] | None = None) -> None:
            if step and number == epoch:  # Keras has just cleared what was counted of it
                restore_metrics(view, begun.arrays)

        guess_loss = self.objective.guess_loss(view.output_shape[-1])
        course = Course(self.name, epochs, guess_loss, self.patience, waited, step)
        recorder = PhaseRecorder(journal.history, course, self.validate, keep_best, journal.say)
        callbacks = [
            keras.callbacks.LambdaCallback(on_epoch_begin=go_on),
            recorder,
            # After the recorder: a checkpoint is of an epoch that is in the history.
            Checkpointing(journal, step, lambda: recorder.waited),
            *journal.callbacks,
        ]
        with journal.interruptions.deferred():
            run_epochs(
                view, self.batches, callbacks, epochs=epochs, first_epoch=epoch, first_step=step
            )
        journal.interruptions.check()

    def _within_budget(self) -> Self:
        """Returns the training of as many epochs, of as many steps, as fit into the time."""
        sizes = self.journal.notes.sizes
        if self.name not in sizes:
            sizes[self.name] = self._affordable()
        size = sizes[self.name]
        if size == PhaseSize(self.phase.epochs, self.batches.steps):
            return self
        fitting = batch_size_of(size.epochs, size.steps)
        self.journal.say(f"{self.name}: {fitting} fit into the time")
        return dataclasses.replace(
            self,
            phase=dataclasses.replace(self.phase, epochs=size.epochs),
            batches=dataclasses.replace(self.batches, steps=size.steps),
        )

    def _affordable(self) -> PhaseSize:
        """Returns how many epochs, of how many steps, the phase has in the time that is left.

        For that some steps are taken and timed, and taken back.
        """
        view, epochs, budget = self.view, self.phase.epochs, self.journal.budget
        before = training_state(view)
        ends: list[float] = []
        clock = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
        )
        together = view.steps_per_execution
        view.fit(
            self.batches.of(0, epochs, 0),
            steps_per_epoch=min(_TIMED_STEPS * together, self.batches.steps * epochs),
            callbacks=[clock],
            shuffle=False,
            verbose=0,
        )
        restore_training_state(view, before)
        # The first step is the one for which the model is compiled, and so is the first pass over
        # validation: where it is short, that is the most of it.
        step_seconds = float(np.median(np.diff(ends))) / together if len(ends) > 1 else 0.0
        pass_seconds = self._seconds_to_validate()
        if pass_seconds < _SHORT_PASS * budget.left():
            pass_seconds = self._seconds_to_validate()
        affordable = epochs_in(
            budget.left() - _RESERVED_PASSES * pass_seconds - _EXPORT_SECONDS,
            step_seconds,
            pass_seconds,
            self.batches.steps,
            epochs,
            together,
        )
        return PhaseSize(*affordable)

    def _seconds_to_validate(self) -> float:
        start = time.perf_counter()
        self.validate()
        return time.perf_counter() - start


def finish(journal: Journal, model: keras.Model, path: pathlib.Path) -> None:
    """Gives a model the best weights of all phases, and writes down that they are final.

    Args:
        journal: Of the run.
        model: Whose weights `journal.best` has or, where the run had got so far before, the file.
        path: Where they are, or will be.
    """
    if journal.found is None:
        journal.put_best(model)
        with replacing(path) as temporary:
            model.save_weights(temporary)
        journal.best = None  # the file has them
    else:
        model.load_weights(path)
    journal.begin(TRAINED)
    journal.history.close()


@contextlib.contextmanager
def keeping_the_best(
    journal: Journal, model: keras.Model, save: Callable[[], None], path: pathlib.Path
) -> Iterator[None]:
    """Saves the best weights so far where a training inside diverges, and says so.

    Args:
        journal: Of the run.
        model: It is given the weights.
        save: Saves it.
        path: Where to.
    """
    try:
        yield
    except DivergenceError as error:
        best = journal.history.best
        # Of a head that is trained on features the model has not been given anything yet.
        if best is None or journal.best is None or journal.best.part != "model":
            raise
        journal.put_best(model)
        save()
        raise DivergenceError(
            f"{error} The best so far, of epoch {best.epoch} of the {best.phase} phase with a "
            f"validation accuracy of {best.validation_accuracy:.4f}, is kept: '{path}'."
        ) from None


def _place(epoch: int, step: int, epochs: int) -> str:
    """Returns where in a phase it goes on, as a person says it."""
    return f"step {step} of epoch {epoch + 1}" if step else f"epoch {epoch} of {epochs}"
