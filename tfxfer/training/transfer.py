"""Fit: open the data, build the classifier, train its phases, keep the best, export."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfxfer.config.recipes import changed_to_toml, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images, open_images
from tfxfer.data.image.readability import Unreadable, naming_unreadable_images
from tfxfer.data.record import describe_skipped, record_data, record_seen
from tfxfer.data.weighting import training_weights
from tfxfer.evaluation.calibration import calibrate, temper, tempered
from tfxfer.evaluation.metrics import softmax, summarise
from tfxfer.models.classifier import Classifier
from tfxfer.planning.plan import Plan
from tfxfer.runs.directory import start_run
from tfxfer.runs.journal import Journal
from tfxfer.runs.places import note_places
from tfxfer.system.files import replacing, write_json
from tfxfer.system.progress import Clock, Say
from tfxfer.system.signals import Interruptions
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import ClassifierPair, Trainable
from tfxfer.training.epochs.trainer import finish, keeping_the_best
from tfxfer.training.epochs.validation import SCORED_SPLITS
from tfxfer.training.finetune_phase import finetune
from tfxfer.training.head_phase import train_head
from tfxfer.training.phases import Materials


@dataclass(frozen=True)
class Trained:
    """What training leaves, beside the run's files.

    Attributes:
        plan: What was trained, and the run.
        model: Images in [0, 255] to probabilities, float32.
        journal: Of the run.
        metrics: What `metrics.json` holds, but for the export and the seconds of what follows.
        images: By split.
        probabilities: Of the splits that judge, (num_examples, num_classes) each.
    """

    plan: Plan
    model: keras.Model
    journal: Journal
    metrics: dict[str, Any]
    images: Mapping[str, Images]
    probabilities: Mapping[str, np.ndarray]


def train(plan: Plan, interruptions: Interruptions, say: Say) -> Trained:
    """Trains the classifier of a plan as `fit` does; it is neither exported nor reported.

    The run's directory has all but what an export and a report leave. It is the caller's, as `fit`
    makes sure by `locked`.

    Args:
        plan: What is trained, and the run.
        interruptions: What ends the training early.
        say: Takes each line for the person who watches.

    Raises:
        InterruptionError: Ctrl-C or SIGTERM; the same plan goes on where it was.
        RunError: Data, weights or training failed; the message says what.
    """
    clock = Clock()
    with naming_unreadable_images(*plan.source.splits.values()):
        classifier = plan.build_classifier(plan.config.weights)
        clock.lap("data")
        images, skipped = open_images(plan.source.splits, plan.config)
        trained = train_phases(plan, classifier, images, skipped, interruptions, clock, say)
    trained = dataclasses.replace(trained, metrics=trained.metrics | {"seconds": clock.seconds})
    write_json(plan.run.metrics, trained.metrics)
    trained.journal.close()
    return trained


def train_phases(
    plan: Plan,
    classifier: Classifier,
    images: dict[str, Images],
    skipped: list[Unreadable],
    interruptions: Interruptions,
    clock: Clock,
    say: Say,
    asked: FitConfig | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Trained:
    """Runs the phases of a plan that are left, writes `model.keras`, and scores it.

    Settings that were asked for are written down as they were when the run was begun.
    """
    for line in describe_skipped(plan.run, skipped):
        say(line)
    weights = training_weights(images["train"].split, plan.config.class_weights)
    images = {**images, "train": images["train"].weighted(weights)}
    facts = {"data": plan.source.fingerprint(), "weights": classifier.digest()}
    journal = Journal(plan.run, plan.config, facts, interruptions, say, callbacks)
    asked_toml = None if asked is None else changed_to_toml(asked)
    start_run(plan.run, to_toml(plan.config), plan.source.class_names, asked_toml)
    note_places(plan.run, plan.config)
    record_data(plan.run, plan.source, images, skipped)
    record_seen(plan.run, plan.source, images, plan.config)
    pair = ClassifierPair.of(plan, classifier)
    given = Materials(plan.config, pair, images, journal)
    clock.lap("images")

    def save() -> None:
        with replacing(plan.run.model) as temporary:
            classifier.with_probabilities().save(temporary)

    with keeping_the_best(journal, classifier.model, save, plan.run.model):
        source = _run_phases(given, clock)
    finish(journal, classifier.model, plan.run.best_weights)
    probabilities = _probabilities(given, source)
    labels = {name: images[name].labels for name in probabilities}
    calibration = calibrate(probabilities, labels)
    if plan.config.calibrate:
        temperature = calibration["temperature"]
        temper(classifier.head, temperature)
        probabilities = {name: tempered(p, temperature) for name, p in probabilities.items()}
    model = classifier.with_probabilities()
    with replacing(plan.run.model) as temporary:
        model.save(temporary)
    notes = journal.notes
    best = journal.history.best
    metrics: dict[str, Any] = {
        **{name: summarise(p, labels[name]) for name, p in probabilities.items()},
        "calibration": calibration | {"applied": plan.config.calibrate},
        "best": {"phase": best.phase, "epoch": best.epoch} if best else None,
        "data": {
            "name": plan.source.name,
            "fingerprint": facts["data"],
            "notes": list(plan.source.notes),
        },
        "num_classes": len(plan.source.class_names),
        "parameters": {"total": classifier.num_parameters(), "trained": notes.num_trained},
    }
    if skipped:
        metrics["skipped"] = dict(Counter(one.split for one in skipped))
    if notes.penalty is not None:
        metrics["penalty"] = notes.penalty
    clock.lap("evaluation")
    return Trained(plan, model, journal, metrics, images, probabilities)


def _run_phases(given: Materials, clock: Clock) -> ActivationSource:
    """Runs the phases that are left, and returns what judges the classifier."""
    config, journal = given.config, given.journal
    if not config.finetune.epochs:
        source = train_head(given).source
        clock.lap("head")
        clock.lap("finetune")
        return source
    start = None
    if config.head.epochs and not journal.is_past("head"):
        start = train_head(given).start  # its features leave the memory
    clock.lap("head")
    source = finetune(given, Trainable.of(config.finetune), start)
    clock.lap("finetune")
    return source


def _probabilities(given: Materials, source: ActivationSource) -> dict[str, np.ndarray]:
    """Returns what the trained network gives of the validation and test splits."""
    # What is saved is float32; the frozen half of this has done its work.
    given.classifiers.update_exact()
    return {
        name: softmax(source.judge(name).outputs())
        for name in SCORED_SPLITS
        if name in given.images
    }
