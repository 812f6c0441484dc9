"""The passes over images that verbs share: the epochs of a phase, and the scores at the end."""

import contextlib
import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from tfxfer.budget import epochs_in
from tfxfer.checkpoint import (
    Checkpoint,
    restore_metrics,
    restore_training_state,
    training_state,
)
from tfxfer.classifier import smoothed_cross_entropy as smoothed_loss
from tfxfer.config import PhaseConfig, RunConfig
from tfxfer.errors import DivergenceError
from tfxfer.features import predict_batches
from tfxfer.history import PhaseRecorder
from tfxfer.journal import TRAINED, Checkpointing, Journal
from tfxfer.metrics import accuracy, smoothed_cross_entropy
from tfxfer.pipeline import Images, evaluation_batches
from tfxfer.progress import Progress
from tfxfer.run_directory import replacing
from tfxfer.schedule import build_optimizer

# What of the time is kept for the end: passes over validation images, in which the splits are
# scored, and the export (measured: 6 s, and 30 s on a slow machine).
_RESERVED_PASSES, _EXPORT_SECONDS = 2, 20.0

# Steps, or executions of several, that are timed to see how many fit into the time.
_TIMED_STEPS = 5

# The part of the time that is left within which a pass over validation is timed once more.
_SHORT_PASS = 0.02

# The splits that a run is judged by.
SCORED_SPLITS = ("validation", "test")


def compiled_view(
    model: keras.Model,
    phase: PhaseConfig,
    config: RunConfig,
    steps: int,
    most_together: int = 1,
) -> keras.Model:
    """Returns a model of the same layers that is compiled for a phase with a new optimizer.

    A model's own compilation goes along into every file that it, or a model around it, is saved in:
    its loss and its optimizer's state. The view's does not.

    Under `mixed_float16` the loss is multiplied, and the gradients divided, by what keeps those
    from vanishing (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2); Keras does so by
    itself only where that is the global dtype policy.

    Args:
        model: Images or features to logits.
        phase: A phase whose settings are all decided.
        config: Of the run; `label_smoothing`, `precision` and `xla` are read.
        steps: Batches in an epoch.
        most_together: Steps between which Python is not asked, at the most; more than one where a
            step is so short that this matters.
    """
    # Keras would take more steps than an epoch has, had it to take a part of so many.
    together = max(number for number in range(1, most_together + 1) if steps % number == 0)
    view = keras.Model(model.input, model.output)
    optimizer = build_optimizer(phase, steps)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    view.compile(
        optimizer=optimizer,
        loss=smoothed_loss(config.label_smoothing),
        # Weighted as the loss is, where batches come with weights; Keras' `metrics` never are.
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        steps_per_execution=together,
        jit_compile={"on": True, "off": False}.get(config.xla, "auto"),
    )
    # All that a checkpoint holds is there from the start.
    optimizer.build(view.trainable_variables)
    for metric in view.metrics:
        if hasattr(metric, "build"):  # what holds those that `compile` was given
            metric.build(keras.KerasTensor((None,), "int32"), view.output)
    return view


@dataclass(frozen=True)
class Judge:
    """How a model does on the examples of a split, as often as one asks.

    Attributes:
        model: To logits or probabilities, (batch, num_classes).
        batches: What the model takes, with labels: every example once.
        labels: Class indices, (num_examples,), in the order of the batches.
        batch_size: Examples in a batch but the last.
        name: Of the split.
    """

    model: keras.Model
    batches: tf.data.Dataset
    labels: np.ndarray
    batch_size: int
    name: str

    def outputs(self) -> np.ndarray:
        """Returns what the model gives now, (num_examples, num_classes)."""
        count = len(self.labels)
        with Progress(self.name, count, self.batch_size) as progress:
            return predict_batches(
                self.model, self.batches, count, self.batch_size, progress.update
            )


def judge_logits(
    logits: np.ndarray,
    labels: np.ndarray,
    label_smoothing: float,
    weights: np.ndarray | None = None,
) -> tuple[float, float]:
    """Returns the training loss and the accuracy of logits.

    Args:
        logits: Shape (num_examples, num_classes).
        labels: Class indices, shape (num_examples,).
        label_smoothing: Share of the target that is spread over all classes.
        weights: How much each example counts, shape (num_examples,); None is all alike.
    """
    loss = smoothed_cross_entropy(logits, labels, label_smoothing, weights)
    return loss, accuracy(logits, labels, weights)


@dataclass(frozen=True)
class Batches:
    """The batches of a phase.

    Attributes:
        steps: Batches in an epoch.
        of: Returns those of the epochs from the first to before the second number, one after the
            other, without the first so many of the first epoch: (x, labels), or with weights of
            mean 1 as the third. A batch's loss is its weighted sum divided by its number of
            examples, whatever their weights.
    """

    steps: int
    of: Callable[[int, int, int], tf.data.Dataset]


def run_epochs(
    view: keras.Model,
    batches: Batches,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    epochs: int,
    first_epoch: int = 0,
    first_step: int = 0,
) -> None:
    """Trains what is trainable of a compiled model for the steps of a phase that are left.

    Args:
        view: What `compiled_view` returned.
        batches: Of the phase.
        callbacks: Told of each batch and epoch; in the first epoch a step's number is counted from
            the first that is left.
        epochs: Of the whole phase.
        first_epoch: Number of the first epoch, from 0.
        first_step: Steps of that epoch which were taken before.
    """

    def run(first: int, end: int, step: int) -> None:
        view.fit(
            batches.of(first, end, step),
            initial_epoch=first,
            epochs=end,
            steps_per_epoch=batches.steps - step,
            callbacks=list(callbacks),
            shuffle=False,  # the batches are in a new order in each epoch already
            verbose=0,
        )

    if first_step:
        run(first_epoch, first_epoch + 1, first_step)
        first_epoch += 1
        if view.stop_training:
            return
    if first_epoch < epochs:
        run(first_epoch, epochs, 0)


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
        batches: Of the phase.
        validate: Returns loss and accuracy on validation, as the model is now.
        most_together: See `compiled_view`.
        patience: Epochs without a new best after which the phase stops; 0 never stops it.
    """

    journal: Journal
    config: RunConfig
    name: str
    phase: PhaseConfig
    model: keras.Model
    kept: keras.Model
    batches: Batches
    validate: Callable[[], tuple[float, float]]
    most_together: int = 1
    patience: int = 0

    @functools.cached_property
    def view(self) -> keras.Model:
        """The model compiled for the phase."""
        steps = self.batches.steps
        return compiled_view(self.model, self.phase, self.config, steps, self.most_together)

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
        out_of_time = journal.budget.is_over and journal.best
        if epoch >= epochs or (self.patience and waited >= self.patience) or out_of_time:
            return

        def keep_best() -> None:
            journal.best = self.kept.get_weights()

        def go_on(number: int, logs: Mapping[str, Any] | None = None) -> None:
            if step and number == epoch:  # Keras has just cleared what was counted of it
                restore_metrics(view, begun.arrays)

        recorder = PhaseRecorder(
            journal.history,
            self.name,
            epochs,
            view.output_shape[-1],
            self.validate,
            keep_best,
            self.patience,
            journal.say,
            waited=waited,
            first_step=step,
        )
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
        sizes = self.journal.notes.get("sizes", {})
        if self.name not in sizes:
            sizes = {**sizes, self.name: self._affordable()}
            self.journal.notes["sizes"] = sizes
        epochs, steps = sizes[self.name]
        if (epochs, steps) == (self.phase.epochs, self.batches.steps):
            return self
        self.journal.say(f"{self.name}: {_size(epochs, steps)} fit into the time")
        return dataclasses.replace(
            self,
            phase=dataclasses.replace(self.phase, epochs=epochs),
            batches=dataclasses.replace(self.batches, steps=steps),
        )

    def _affordable(self) -> tuple[int, int]:
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
        return epochs_in(
            budget.left() - _RESERVED_PASSES * pass_seconds - _EXPORT_SECONDS,
            step_seconds,
            pass_seconds,
            self.batches.steps,
            epochs,
            together,
        )

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
        model.set_weights(journal.best)
        with replacing(path) as temporary:
            model.save_weights(temporary)
        journal.best = []  # the file has them
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
        if best is None or len(journal.best) != len(model.weights):
            raise
        model.set_weights(journal.best)
        save()
        raise DivergenceError(
            f"{error} The best so far, of epoch {best.epoch} of the {best.phase} phase with a "
            f"validation accuracy of {best.validation_accuracy:.4f}, is kept: '{path}'."
        ) from None


def _size(epochs: int, steps: int) -> str:
    """Returns how long a phase is, as a person says it."""
    return (
        f"{epochs} epoch{'' if epochs == 1 else 's'} of {steps:,} step{'' if steps == 1 else 's'}"
    )


def _place(epoch: int, step: int, epochs: int) -> str:
    """Returns where in a phase it goes on, as a person says it."""
    return f"step {step} of epoch {epoch + 1}" if step else f"epoch {epoch} of {epochs}"


def predict_splits(
    model: keras.Model, images: Mapping[str, Images], batch_size: int
) -> dict[str, np.ndarray]:
    """Returns what a model gives of the validation and test splits that there are.

    Args:
        model: Images in [0, 255] to probabilities.
        images: The splits by name.
        batch_size: Images per batch; of no influence on the result.

    Returns:
        By the name of the split, (num_examples, num_classes).
    """
    found = {}
    for name in SCORED_SPLITS:
        if name in images:
            labels = images[name].labels
            batches = evaluation_batches(images[name], batch_size)
            judge = Judge(model, batches, labels, batch_size, name)
            found[name] = judge.outputs()
    return found
