"""Synthetic findings of a run: scores and images."""

import numpy as np
import tensorflow as tf
from conftest import SMALL_BACKBONE, scene

from tfxfer.config.schema import FinetuneConfig, FitConfig, HeadConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.source import in_any_order
from tfxfer.evaluation.predictions import evaluate_predictions
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.models.objectives import SOFTMAX
from tfxfer.models.regression.values import values
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.models.tasks.softmaxes import softmaxes
from tfxfer.reporting.writing import findings_of
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.system.run_layout import RunDirectory

SIDE = 96  # the small backbone has maps of 3 x 3 there


def made_epochs():
    rows = [("head", 1, 1.0), ("head", 2, 1.0), ("finetune", 1, 1e-3), ("finetune", 2, 0.0)]
    return [
        Epoch(phase, epoch, rate, 1 / number, 0.5, 1.5 / number, 0.4 + number / 10, 1.0)
        for number, (phase, epoch, rate) in enumerate(rows, start=1)
    ]


def made_findings(
    folder,
    names,
    labels,
    probabilities,
    *,
    pictures=None,
    describe=None,
    thresholds=None,
    tasks=None,
    number=None,
):
    """Returns findings for images with these labels and predicted probabilities.

    Args:
        folder: Of the run.
        names: Of the classes.
        labels: (num_images,), or (num_images, num_labels) with thresholds.
        probabilities: (num_images, num_classes).
        pictures: uint8, (num_pictures, SIDE, SIDE, 3), which the images show in turn.
        describe: From a number to the id of an image.
        thresholds: (num_labels,), of several labels.
        tasks: Whose classes the names are.
        number: The target that the name is of.
    """
    if pictures is None:
        pictures = np.stack([np.asarray(scene(seed, (SIDE, SIDE))) for seed in range(20)])
    shown = tf.constant(pictures)
    split = in_any_order(
        np.asarray(labels),
        lambda index: tf.gather(shown, index % len(pictures)),
        describe or (lambda index: f"/photos/test/{index}.jpg"),
        lambda: (
            np.arange(16 * len(labels), dtype=np.uint64).view(np.uint8).reshape(-1, 128)[:, :16]
        ),
    )
    head = HeadConfig(epochs=2, optimizer="lbfgs", dropout=0.0)
    finetune = FinetuneConfig(
        epochs=2,
        optimizer="adam",
        learning_rate=1e-3,
        warmup_epochs=0.0,
        unfreeze="all",
        batch_norm="frozen",
        weight_decay=0.0,
        clip_norm=1.0,
    )
    config = FitConfig(
        data="photos",
        backbone=SMALL_BACKBONE,
        weights="none",
        image_size=SIDE,
        input_size=SIDE,
        batch_size=8,
        precision="float32",
        run="made",
        head=head,
        finetune=finetune,
    ).with_settings({"augment": {"flip": True, "shift": 0.1, "zoom": 0.0, "rotation": 0.0}})
    objective = SOFTMAX if thresholds is None else SIGMOIDS
    if tasks is not None:
        objective = softmaxes(tasks.sizes)
    if number is not None:
        objective = values(number.mean, number.std, number.spread)
    classifier = build_classifier(
        BACKBONES[SMALL_BACKBONE], config, config.head, "none", len(names), objective
    )
    kernel, bias = classifier.head.layers[-1].get_weights()
    kernel = np.random.default_rng(0).normal(size=kernel.shape)
    classifier.head.layers[-1].set_weights([kernel, bias])
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float32)
    result = evaluate_predictions(
        "photos",
        "test",
        Outputs(tuple(names), thresholds=thresholds, tasks=tasks, number=number),
        probabilities,
        labels,
    )
    run = RunDirectory(folder)
    run.path.mkdir(parents=True, exist_ok=True)
    run.asked.write_text('data = "photos"\n')
    metrics = FitMetrics.of_json(
        {
            "best": {"phase": "finetune", "epoch": 2},
            "data": {"name": "photos", "fingerprint": "0123", "notes": []},
            "parameters": {"total": 1000, "trained": 500},
            "penalty": 0.1,
            "target": None if number is None else number.as_json(),
            "seconds": {"head": 1.0, "finetune": 3.0, "total": 4.0},
        }
    )
    return findings_of(
        result,
        run=run,
        config=config,
        metrics=metrics,
        epochs=made_epochs(),
        model=classifier.with_probabilities(),
        images=Images(split, SIDE, memory_bytes=0),
        labels={"train": np.concatenate([labels, labels]), "test": labels},
        notes=("3 images were left out",),
    )


def guesses(num_images, num_classes, share_right, seed=0):
    """Returns labels and probabilities with about the given accuracy."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(num_classes, size=num_images)
    said = np.where(
        generator.random(num_images) < share_right,
        labels,
        generator.integers(num_classes, size=num_images),
    )
    logits = generator.normal(size=(num_images, num_classes))
    logits[np.arange(num_images), said] += generator.uniform(2, 8, num_images)
    exponents = np.exp(logits)
    return labels, exponents / exponents.sum(axis=1, keepdims=True)
