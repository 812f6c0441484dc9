"""Transfer learning: a classifier is prepared, trained in phases, and evaluated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np

from tfxfer.config.recipes import to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.record import record_seen
from tfxfer.data.weighting import training_weights
from tfxfer.evaluation.calibration import apply_temperature, calibrate, divide_logits
from tfxfer.evaluation.cautious import with_images_set_aside
from tfxfer.evaluation.predictions import AnyResult, evaluate_predictions, summarize_predictions
from tfxfer.inference.caution import Caution
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.models.classifier import Classifier
from tfxfer.planning.plan import Plan
from tfxfer.runs.directory import replace_settings
from tfxfer.runs.journal import Journal
from tfxfer.runs.metrics_record import FitMetrics, evaluation_split
from tfxfer.runs.scores.summary import OUT_OF_FOLD
from tfxfer.system.files import replacing, write_json
from tfxfer.system.processes.team import alone, is_first
from tfxfer.system.progress import Say
from tfxfer.system.signals import Interruptions
from tfxfer.system.timing.timeline import span
from tfxfer.training.classifier_pair import ClassifierPair, Trainable
from tfxfer.training.epochs.best_weights import finish, saving_best_weights
from tfxfer.training.epochs.session import Session
from tfxfer.training.epochs.validation import SCORED_SPLITS
from tfxfer.training.finetune_phase import finetune
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.head_phase import train_head
from tfxfer.training.heads.outputs import outputs_of, write_kind
from tfxfer.training.phases import Materials, OutOfFold
from tfxfer.training.preparation import PreparedRun, metrics_of_run, prepare_run
from tfxfer.training.rates.range_test import find_rate
from tfxfer.training.search.phase import search


@dataclass(frozen=True)
class PreparedFit:
    """A fit that is ready to be trained.

    Attributes:
        run: The run, started or resumed.
        materials: The materials of its phases.
        out_of_fold: What stands for validation where the model is trained on that, too.
    """

    run: PreparedRun[Plan]
    materials: Materials
    out_of_fold: OutOfFold | None = None

    def with_plan(self, plan: Plan) -> "PreparedFit":
        """Returns the fit with another plan, and writes its settings into the run."""
        replace_settings(plan.run, to_toml(plan.config))
        materials = replace(self.materials, config=plan.config)
        return replace(self, run=replace(self.run, plan=plan), materials=materials)


@dataclass(frozen=True)
class Trained:
    """Result of training, besides the files of the run.

    Attributes:
        plan: The plan of the fit.
        model: Maps images in [0, 255] to probabilities, float32.
        journal: Journal of the run.
        metrics: Content of `metrics.json`, except the export and the seconds of later steps.
        images: Images by split.
        probabilities: Probabilities by evaluated split, (num_examples, num_classes) each.
        outputs: What the outputs of the model are of.
        out_of_fold: What stands for validation where the model was trained on that, too.
        caution: What else the model says of an image; None for nothing.
    """

    plan: Plan
    model: keras.Model
    journal: Journal
    metrics: FitMetrics
    images: Mapping[str, Images]
    probabilities: Mapping[str, np.ndarray]
    outputs: Outputs
    out_of_fold: OutOfFold | None = None
    caution: Caution | None = None

    def evaluated(self, split: str) -> Images:
        """Returns the images of a split that has probabilities."""
        out_of_fold = self.out_of_fold
        return out_of_fold.images if out_of_fold and split == OUT_OF_FOLD else self.images[split]

    def classifier(self) -> TrainedClassifier:
        """Returns the model as `load` does."""
        file, config = self.plan.run.model, self.plan.config
        return TrainedClassifier(self.model, self.outputs, file, config, caution=self.caution)

    def result(self) -> AnyResult:
        """Returns all metrics on test, or on validation if there is no test."""
        source, name = self.plan.source, evaluation_split(self.probabilities)
        told = self.probabilities[name], self.evaluated(name).labels
        return evaluate_predictions(source.name, name, self.outputs, *told)


def train(
    plan: Plan,
    interruptions: Interruptions,
    say: Say,
    finish: Callable[[Trained], None] = lambda _: None,
    decide: Callable[[PreparedFit], PreparedFit] = lambda fitting: fitting,
) -> Trained:
    """Trains the classifier of a plan as `fit` does, without export and report.

    The caller must hold the lock of the run, as `fit` does with `holding`.

    Args:
        plan: The plan of the fit.
        interruptions: Signals received so far.
        say: Called with each progress message.
        finish: Called before the run counts as finished.
        decide: Returns the fit to train, once it is started or resumed.

    Raises:
        InterruptionError: Ctrl-C or SIGTERM; the same plan resumes where it stopped.
        RunError: Data, weights or training failed; the message says what.
    """
    session = Session(interruptions, say)
    with naming_unreadable_images(*plan.source.splits.values()):
        classifier = plan.build_classifier(plan.config.weights)
        session.clock.lap("data")
        fitting = decide(prepare_fit(plan, classifier, session))
        phases = train_phases(fitting)
        with alone():
            trained = evaluate(*phases)
    metrics = replace(trained.metrics, seconds=session.clock.seconds)
    trained = replace(trained, metrics=metrics)
    write_json(plan.run.metrics, metrics.as_json())
    finish(trained)
    trained.journal.close()
    return trained


def prepare_fit(
    plan: Plan, classifier: Classifier, session: Session, asked: FitConfig | None = None
) -> PreparedFit:
    """Starts or resumes the run of a fit; see `prepare_run`."""
    run = prepare_run(plan, classifier, session, asked)
    if is_first():
        write_kind(plan)
        record_seen(plan.run, plan.source, run.images, plan.config)
    weights = training_weights(run.images["train"].split, plan.config.class_weights)
    images = {**run.images, "train": run.images["train"].weighted(weights)}
    if plan.config.unknown:
        images |= with_images_set_aside(images["validation"], plan.config)
    pair = ClassifierPair.of(plan, classifier)
    session.clock.lap("images")
    return PreparedFit(run, Materials(plan.config, pair, images, run.journal))


def train_phases(fitting: PreparedFit) -> tuple[PreparedFit, ActivationSource]:
    """Runs the remaining phases, and loads and saves the best weights of all phases.

    Args:
        fitting: A fit that was started or resumed.

    Returns:
        The fit with the settings that it was trained with, which a search may have chosen, and the
        source of the classifier's outputs on each split.

    Raises:
        DivergenceError: The loss became NaN or far too high; `model.keras` has the best weights so
            far, if there are any.
        InterruptionError: A signal was received; a checkpoint was saved.
    """
    run, classifier = fitting.run.plan.run, fitting.run.classifier
    views = fitting.materials.config.test_time_views

    def save() -> None:
        with replacing(run.model) as temporary:
            classifier.with_probabilities(views).save(temporary)

    with saving_best_weights(fitting.run.journal, classifier.model, save, run.model):
        fitting, source = _run_phases(fitting)
    finish(fitting.run.journal, classifier.model, run.best_weights)
    return fitting, source


def take_part(fitting: PreparedFit) -> None:
    """Runs the remaining phases of a fit that another process writes; see `train_phases`."""
    _run_phases(fitting)


def _run_phases(fitting: PreparedFit) -> tuple[PreparedFit, ActivationSource]:
    """Runs the head phase, the search and the finetune phase, as far as the settings have them."""
    given, clock = fitting.materials, fitting.run.clock
    config = given.config
    if not config.finetune.epochs:
        source = train_head(given).source
        clock.lap("head")
        clock.lap("finetune")
        return fitting, source
    start = None
    if config.head.epochs and not given.journal.is_past("head"):
        start = train_head(given).start  # frees its features
    clock.lap("head")
    if config.find_rate and given.journal.found is None:  # else it was done before
        find_rate(given, fitting.run.plan.run, start)
        clock.lap("range test")
    portfolio = fitting.run.plan.portfolio
    if portfolio is not None:
        found = search(given, portfolio, fitting.run.plan.run, start)
        fitting, start = _with_choice(fitting), found.start
        clock.lap("search")
        if found.source is not None:
            return fitting, found.source
    source = finetune(fitting.materials, Trainable.of(fitting.materials.config.finetune), start)
    clock.lap("finetune")
    return fitting, source


def _with_choice(fitting: PreparedFit) -> PreparedFit:
    """Returns a fit with the settings that its search chose, and writes them into the run.

    They say "quick": as a recipe they repeat the result without searching. The range test, which
    changes no result, is not repeated.
    """
    plan, record = fitting.run.plan, fitting.materials.journal.notes.search
    changes = {} if record is None else record.nested_changes()
    config = plan.config.with_settings({**changes, "effort": "quick", "find_rate": False})
    return fitting.with_plan(replace(plan, config=config))


def evaluate(fitting: PreparedFit, source: ActivationSource) -> Trained:
    """Evaluates a trained classifier, calibrates it if `calibrate` is set, and saves it.

    Args:
        fitting: A fit whose phases are finished.
        source: The source of its classifier's outputs.
    """
    run, images = fitting.run, fitting.materials.images
    config, objective = run.plan.config, run.classifier.objective
    # The saved model is float32.
    fitting.materials.classifiers.update_exact()
    judged, probabilities, labels = _predictions(fitting, source)
    calibration = None if objective.is_number else calibrate(probabilities, labels, objective)
    if calibration is not None and config.calibrate:
        temperature = calibration.temperature
        calibration = replace(calibration, applied=True)
        divide_logits(run.classifier.head, temperature)
        probabilities = {
            name: apply_temperature(p, temperature, objective) for name, p in probabilities.items()
        }
    outputs = outputs_of(run.plan, probabilities[judged], labels[judged])
    model = run.classifier.with_probabilities(config.test_time_views)
    with span("save the model"), replacing(run.plan.run.model) as temporary:
        model.save(temporary)
    kept = outputs.as_json()
    metrics = replace(
        metrics_of_run(run),
        splits={
            name: summarize_predictions(outputs, some, labels[name])
            for name, some in probabilities.items()
        },
        calibration=calibration,
        thresholds=kept.get("thresholds"),
        tasks=kept.get("tasks"),
        target=kept.get("target"),
    )
    run.clock.lap("evaluation")
    told = run.plan, model, run.journal, metrics, images, probabilities, outputs
    return Trained(*told, fitting.out_of_fold)


def _predictions(
    fitting: PreparedFit, source: ActivationSource
) -> tuple[str, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns probabilities and labels by split, and before them what stands for validation."""
    images, objective = fitting.materials.images, fitting.run.classifier.objective
    probabilities = {
        name: objective.activate(source.outputs_of_views(name))
        for name in SCORED_SPLITS
        if name in images
    }
    labels = {name: images[name].labels for name in probabilities}
    if fitting.out_of_fold is None:
        return "validation", probabilities, labels
    probabilities[OUT_OF_FOLD] = fitting.out_of_fold.probabilities
    labels[OUT_OF_FOLD] = fitting.out_of_fold.images.labels
    return OUT_OF_FOLD, probabilities, labels
