"""The passes over images that verbs share: the epochs of a phase, and the scores at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfxfer.classifier import smoothed_cross_entropy as smoothed_loss
from tfxfer.config import PhaseConfig
from tfxfer.features import predict_batches
from tfxfer.metrics import Summary, accuracy, smoothed_cross_entropy, summarise
from tfxfer.pipeline import Images, evaluation_batches
from tfxfer.progress import Progress
from tfxfer.schedule import build_optimizer

# The splits that a run is judged by.
SCORED_SPLITS = ("validation", "test")


def compiled_view(
    model: keras.Model,
    phase: PhaseConfig,
    steps: int,
    label_smoothing: float,
    most_together: int = 1,
) -> keras.Model:
    """Returns a model of the same layers that is compiled for a phase with a new optimizer.

    A model's own compilation goes along into every file that it, or a model around it, is saved in:
    its loss and its optimizer's state. The view's does not.

    Args:
        model: Images or features to logits.
        phase: A phase whose settings are all decided.
        steps: Batches in an epoch.
        label_smoothing: Share of the target that is spread over all classes.
        most_together: Steps between which Python is not asked, at the most; more than one where a
            step is so short that this matters.
    """
    # Keras would take more steps than an epoch has, had it to take a part of so many.
    together = max(number for number in range(1, most_together + 1) if steps % number == 0)
    view = keras.Model(model.input, model.output)
    view.compile(
        optimizer=build_optimizer(phase, steps),
        loss=smoothed_loss(label_smoothing),
        # Weighted as the loss is, where batches come with weights; Keras' `metrics` never are.
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        steps_per_execution=together,
    )
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


def run_epochs(
    view: keras.Model,
    phase: PhaseConfig,
    batches: tf.data.Dataset,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    steps: int,
    first_epoch: int = 0,
) -> None:
    """Trains what is trainable of a compiled model for the epochs of a phase that are left.

    Args:
        view: What `compiled_view` returned.
        phase: The same settings.
        batches: The batches of these epochs, one after the other: (x, labels), or with weights
            of mean 1 as the third. A batch's loss is its weighted sum divided by its number of
            examples, whatever their weights.
        callbacks: Told of each batch and epoch.
        steps: Batches in an epoch.
        first_epoch: Number of the first epoch, from 0.
    """
    view.fit(
        batches,
        initial_epoch=first_epoch,
        epochs=phase.epochs,
        steps_per_epoch=steps,
        callbacks=list(callbacks),
        shuffle=False,  # the batches are in a new order in each epoch already
        verbose=0,
    )


def score_splits(
    model: keras.Model, images: Mapping[str, Images], batch_size: int
) -> dict[str, Summary]:
    """Returns what a model scores on the validation and test splits that there are.

    Args:
        model: Images in [0, 255] to probabilities.
        images: The splits by name.
        batch_size: Images per batch; of no influence on the scores.
    """
    scores = {}
    for name in SCORED_SPLITS:
        if name in images:
            labels = images[name].labels
            batches = evaluation_batches(images[name], batch_size)
            judge = Judge(model, batches, labels, batch_size, name)
            scores[name] = summarise(judge.outputs(), labels)
    return scores
