"""The passes over images that verbs share: the epochs of a phase, and the scores at the end."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from tfxfer.classifier import smoothed_cross_entropy
from tfxfer.config import PhaseConfig
from tfxfer.features import predict_batches
from tfxfer.metrics import Summary, summarise
from tfxfer.pipeline import Images, evaluation_batches
from tfxfer.progress import Progress
from tfxfer.schedule import build_optimizer


def compiled_view(
    model: keras.Model, phase: PhaseConfig, steps: int, label_smoothing: float
) -> keras.Model:
    """Returns a model of the same layers that is compiled for a phase with a new optimizer.

    A model's own compilation goes along into every file that it, or a model around it, is saved in:
    its loss and its optimizer's state. The view's does not.

    Args:
        model: Images or features to logits.
        phase: A phase whose settings are all decided.
        steps: Batches in an epoch.
        label_smoothing: Share of the target that is spread over all classes.
    """
    view = keras.Model(model.input, model.output)
    view.compile(
        optimizer=build_optimizer(phase, steps),
        loss=smoothed_cross_entropy(label_smoothing),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return view


def run_epochs(
    view: keras.Model,
    phase: PhaseConfig,
    batches: tf.data.Dataset,
    validation: tf.data.Dataset,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    steps: int,
    first_epoch: int = 0,
) -> None:
    """Trains what is trainable of a compiled model for the epochs of a phase that are left.

    Args:
        view: What `compiled_view` returned.
        phase: The same settings.
        batches: The batches of these epochs, one after the other.
        validation: Batches to validate on after each epoch.
        callbacks: Told of each batch and epoch.
        steps: Batches in an epoch.
        first_epoch: Number of the first epoch, from 0.
    """
    view.fit(
        batches,
        initial_epoch=first_epoch,
        epochs=phase.epochs,
        steps_per_epoch=steps,
        validation_data=validation,
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
    for name in ("validation", "test"):
        if name in images:
            with Progress(name, len(images[name]), batch_size) as progress:
                batches = evaluation_batches(images[name], batch_size)
                probabilities = predict_batches(model, batches, progress.update)
            scores[name] = summarise(probabilities, images[name].split.labels)
    return scores
