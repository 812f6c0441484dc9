"""Transfer: a classifier is begun, goes through its phases, and is evaluated."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.record import record_seen
from tfxfer.data.weighting import training_weights
from tfxfer.evaluation.calibration import apply_temperature, calibrate, divide_logits
from tfxfer.evaluation.metrics import summarize
from tfxfer.models.classifier import Classifier
from tfxfer.planning.plan import Plan
from tfxfer.runs.journal import Journal
from tfxfer.runs.metrics_record import BestEpoch, DataRecord, FitMetrics, Parameters
from tfxfer.system.files import replacing, write_json
from tfxfer.system.progress import Say
from tfxfer.system.signals import Interruptions
from tfxfer.training.activations import ActivationSource
from tfxfer.training.beginning import BegunRun, Session, begin_run
from tfxfer.training.classifier_pair import ClassifierPair, Trainable
from tfxfer.training.epochs.trainer import finish, keeping_the_best
from tfxfer.training.epochs.validation import SCORED_SPLITS
from tfxfer.training.finetune_phase import finetune
from tfxfer.training.head_phase import train_head
from tfxfer.training.phases import Materials


@dataclass(frozen=True)
class Fitting:
    """A fit that is begun.

    Attributes:
        run: What is fitted, and where that is written down.
        materials: What its phases work with.
    """

    run: BegunRun[Plan]
    materials: Materials


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
    metrics: FitMetrics
    images: Mapping[str, Images]
    probabilities: Mapping[str, np.ndarray]


def train(plan: Plan, interruptions: Interruptions, say: Say) -> Trained:
    """Trains the classifier of a plan as `fit` does; it is neither exported nor reported.

    The run's directory has all but what an export and a report leave. It is the caller's, as `fit`
    makes sure by `holding`.

    Args:
        plan: What is trained, and the run.
        interruptions: What ends the training early.
        say: Takes each line for the person who watches.

    Raises:
        InterruptionError: Ctrl-C or SIGTERM; the same plan goes on where it was.
        RunError: Data, weights or training failed; the message says what.
    """
    session = Session(interruptions, say)
    with naming_unreadable_images(*plan.source.splits.values()):
        classifier = plan.build_classifier(plan.config.weights)
        session.clock.lap("data")
        fitting = begin_fit(plan, classifier, session)
        trained = evaluate(fitting, train_phases(fitting))
    metrics = dataclasses.replace(trained.metrics, seconds=session.clock.seconds)
    trained = dataclasses.replace(trained, metrics=metrics)
    write_json(plan.run.metrics, metrics.as_json())
    trained.journal.close()
    return trained


def begin_fit(
    plan: Plan, classifier: Classifier, session: Session, asked: FitConfig | None = None
) -> Fitting:
    """Begins the run of a fit, or finds it where it was; see `begin_run`."""
    run = begin_run(plan, classifier, session, asked)
    record_seen(plan.run, plan.source, run.images, plan.config)
    weights = training_weights(run.images["train"].split, plan.config.class_weights)
    images = {**run.images, "train": run.images["train"].weighted(weights)}
    pair = ClassifierPair.of(plan, classifier)
    session.clock.lap("images")
    return Fitting(run, Materials(plan.config, pair, images, run.journal))


def train_phases(fitting: Fitting) -> ActivationSource:
    """Runs the phases that are left, and returns what judges the classifier.

    The classifier has the best weights of all phases then, and so has the run.

    Raises:
        DivergenceError: The loss is no number any more, or far too high; `model.keras` has the best
            weights so far, if there are any.
        InterruptionError: A signal has come.
    """
    run, classifier = fitting.run.plan.run, fitting.run.classifier

    def save() -> None:
        with replacing(run.model) as temporary:
            classifier.with_probabilities().save(temporary)

    with keeping_the_best(fitting.run.journal, classifier.model, save, run.model):
        judging = _run_phases(fitting)
    finish(fitting.run.journal, classifier.model, run.best_weights)
    return judging


def _run_phases(fitting: Fitting) -> ActivationSource:
    """Runs the head phase and the finetune phase, those of the two that there are."""
    given, clock = fitting.materials, fitting.run.clock
    config = given.config
    if not config.finetune.epochs:
        judging = train_head(given).source
        clock.lap("head")
        clock.lap("finetune")
        return judging
    start = None
    if config.head.epochs and not given.journal.is_past("head"):
        start = train_head(given).start  # its features leave the memory
    clock.lap("head")
    judging = finetune(given, Trainable.of(config.finetune), start)
    clock.lap("finetune")
    return judging


def evaluate(fitting: Fitting, judging: ActivationSource) -> Trained:
    """Scores a classifier that is trained, calibrates it if that is set, and saves it.

    Args:
        fitting: Whose phases have ended.
        judging: What judges its classifier.
    """
    run, images = fitting.run, fitting.materials.images
    config = run.plan.config
    # What is saved is float32; the frozen half of this has done its work.
    fitting.materials.classifiers.update_exact()
    probabilities = {
        name: run.classifier.objective.activate(judging.judge(name).outputs())
        for name in SCORED_SPLITS
        if name in images
    }
    labels = {name: images[name].labels for name in probabilities}
    calibration = calibrate(probabilities, labels)
    if config.calibrate:
        temperature = calibration.temperature
        divide_logits(run.classifier.head, temperature)
        probabilities = {
            name: apply_temperature(p, temperature) for name, p in probabilities.items()
        }
    model = run.classifier.with_probabilities()
    with replacing(run.plan.run.model) as temporary:
        model.save(temporary)
    source, notes, best = run.plan.source, run.journal.notes, run.journal.history.best
    metrics = FitMetrics(
        splits={name: summarize(p, labels[name]) for name, p in probabilities.items()},
        calibration=dataclasses.replace(calibration, applied=config.calibrate),
        best=BestEpoch(best.phase, best.epoch) if best else None,
        data=DataRecord(source.name, run.fingerprint, list(source.notes)),
        num_classes=len(source.class_names),
        parameters=Parameters(run.classifier.num_parameters(), notes.num_trained),
        skipped=dict(Counter(one.split for one in run.skipped)),
        penalty=notes.penalty,
    )
    run.clock.lap("evaluation")
    return Trained(run.plan, model, run.journal, metrics, images, probabilities)
