"""Fit: open the data, build the classifier, train its phases, keep the best, export."""

import math
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.classifier import Classifier, smoothed_cross_entropy
from tfxfer.config import FinetuneConfig, FitConfig, PhaseConfig, to_toml
from tfxfer.errors import RunError
from tfxfer.export import export_saved_model
from tfxfer.features import FrozenFeatures, feature_batches, fit_in_memory, predict_batches
from tfxfer.history import History, PhaseRecorder
from tfxfer.metrics import summarise
from tfxfer.pipeline import Images, evaluation_batches, naming_unreadable_images, training_batches
from tfxfer.plan import Plan, make_plan
from tfxfer.precision import leave_gpu_to_jax
from tfxfer.progress import Progress, readable_seconds
from tfxfer.run_directory import (
    replacing,
    write_class_names,
    write_json,
)
from tfxfer.schedule import build_optimizer

Say = Callable[[str], None]

# Images on which an export is compared with the model before it is published.
_EXPORT_CHECK_IMAGES = 8

# Features per step when the head is evaluated: of no influence, and little work each.
_EVALUATION_BATCH = 1024


@dataclass(frozen=True)
class FitResult:
    """Where a fit's results are, and what came out.

    Attributes:
        run: The run's directory.
        model: The `.keras` file: RGB in [0, 255] in, probabilities out.
        export: The version directory of the SavedModel.
        metrics: What `metrics.json` holds.
    """

    run: Path
    model: Path
    export: Path
    metrics: Mapping[str, Any]


def describe_plan(config: FitConfig) -> str:
    """Returns what `fit` would do, as text; no weights are loaded and nothing is written."""
    plan = make_plan(config)
    return plan.describe(plan.build_classifier(weights="none"))


def fit(config: FitConfig | None = None, *, say: Say = print, **settings: Any) -> FitResult:
    """Trains a classifier on a pretrained backbone, exports it, and returns where it is.

    `tfxfer.fit(data="photos", backbone="resnet50", finetune={"epochs": 3})` does what
    `tfxfer fit --data photos --backbone resnet50 --finetune-epochs 3` does.

    Args:
        config: Settings; None for the defaults.
        say: Takes each line for the person who watches.
        **settings: Settings by name that win over `config`, sections as dictionaries.

    Raises:
        UsageError: A setting is wrong.
        RunError: Data, weights, training or export failed; the message says what.
    """
    clock = _Clock()
    leave_gpu_to_jax()
    plan = make_plan((config or FitConfig()).with_settings(settings))
    classifier = plan.build_classifier(plan.config.weights)
    say(plan.describe(classifier) + "\n")
    _start_run(plan)
    splits = plan.source.splits
    images = {name: Images(split, plan.config.input_size) for name, split in splits.items()}
    history = History(plan.run)
    phases = _Phases(plan, classifier, images, history, say)
    clock.lap("data")
    with naming_unreadable_images(*splits.values()):
        phases.train_head()
        clock.lap("head")
        phases.finetune()
        clock.lap("finetune")
        history.close()
        metrics = _save_and_evaluate(plan, classifier, images)
        clock.lap("evaluation")
        examples = images["validation"].encoded(_EXPORT_CHECK_IMAGES)
    version = export_saved_model(plan.run.model, plan.export_directory, examples)
    clock.lap("export")
    metrics |= {
        "seconds": clock.seconds,
        "num_classes": len(plan.source.class_names),
        "parameters": {
            "total": classifier.num_parameters(),
            "trained": phases.num_trained,
        },
        "export": str(version),
    }
    write_json(plan.run.metrics, metrics)
    say(_summary(plan, history, metrics))
    return FitResult(plan.run.path, plan.run.model, version, metrics)


def _start_run(plan: Plan) -> None:
    """Makes the run's directory and writes the settings and class names into it."""
    try:
        plan.run.path.mkdir(parents=True)
    except OSError as error:
        raise RunError(f"Cannot make the run '{plan.run.path}': {error.strerror}.") from error
    with replacing(plan.run.config) as temporary:
        temporary.write_text(to_toml(plan.config), encoding="utf-8")
    write_class_names(plan.run.classes, plan.source.class_names)


@dataclass
class _Phases:
    """The phases of one fit; each leaves the run's best weights in the classifier."""

    plan: Plan
    classifier: Classifier
    images: dict[str, Images]
    history: History
    say: Say
    num_trained: int = 0  # parameters that some phase trained

    def train_head(self) -> None:
        """Trains the head with the backbone frozen; each image passes the backbone once."""
        config, classifier = self.plan.config, self.classifier
        if not config.head.epochs:
            return
        classifier.freeze()
        train, validation = self.images["train"], self.images["validation"]
        if fit_in_memory(len(train) + len(validation), classifier.head.input_shape[-1]):
            model = classifier.head
            batches = feature_batches(
                self._features("train"),
                train.split.labels,
                config.batch_size,
                seed=config.seed,
                epochs=config.head.epochs,
            )
            validation_batches = feature_batches(
                self._features("validation"),
                validation.split.labels,
                _EVALUATION_BATCH,
                seed=None,
                epochs=1,
            )
        else:
            inputs = keras.Input(classifier.model.input_shape[1:])
            model = keras.Model(
                inputs, classifier.head(FrozenFeatures(classifier.features)(inputs))
            )
            batches = training_batches(
                train, config.batch_size, seed=config.seed, epochs=config.head.epochs
            )
            validation_batches = evaluation_batches(validation, config.batch_size)
        best: list[np.ndarray] = []

        def keep_best() -> None:
            best[:] = classifier.head.get_weights()

        self._train(model, "head", config.head, batches, validation_batches, keep_best)
        classifier.head.set_weights(best)
        self._save_weights()

    def finetune(self) -> None:
        """Trains the head together with the unfrozen stages, on augmented images."""
        config = self.plan.config
        phase = config.finetune
        if not phase.epochs:
            return
        self.classifier.unfreeze(phase.unfreeze, phase.batch_norm)
        batches = training_batches(
            self.images["train"],
            config.batch_size,
            seed=config.seed,
            epochs=phase.epochs,
            augment=config.augment,
        )
        validation = evaluation_batches(self.images["validation"], config.batch_size)
        model = self.classifier.model
        self._train(model, "finetune", phase, batches, validation, self._save_weights)
        model.load_weights(self.plan.run.best_weights)

    def _features(self, name: str) -> np.ndarray:
        """Returns the features of a split, (num_examples, num_features), in its order."""
        images, batch_size = self.images[name], self.plan.config.batch_size
        with Progress(f"features of {name}", len(images), batch_size) as progress:
            batches = evaluation_batches(images, batch_size)
            return predict_batches(self.classifier.features, batches, progress.update)

    def _train(
        self,
        model: keras.Model,
        name: str,
        phase: PhaseConfig,
        batches: tf.data.Dataset,
        validation: tf.data.Dataset,
        keep_best: Callable[[], None],
    ) -> None:
        """Trains what is trainable of a model for all epochs of a phase."""
        config = self.plan.config
        steps = math.ceil(len(self.images["train"]) / config.batch_size)
        # A view of the same layers: what is compiled takes its loss and its optimizer's state along
        # into every file that it, or a model around it, is saved in.
        model = keras.Model(model.input, model.output)
        model.compile(
            optimizer=build_optimizer(phase, steps),
            loss=smoothed_cross_entropy(config.label_smoothing),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
        self.num_trained = max(self.num_trained, self.classifier.num_trainable())
        patience = phase.patience if isinstance(phase, FinetuneConfig) else 0
        recorder = PhaseRecorder(self.history, name, phase.epochs, keep_best, patience, self.say)
        model.fit(
            batches,
            epochs=phase.epochs,
            steps_per_epoch=steps,
            validation_data=validation,
            callbacks=[recorder],
            shuffle=False,  # the batches are in a new order in each epoch already
            verbose=0,
        )

    def _save_weights(self) -> None:
        with replacing(self.plan.run.best_weights) as temporary:
            self.classifier.model.save_weights(temporary)


def _save_and_evaluate(
    plan: Plan, classifier: Classifier, images: dict[str, Images]
) -> dict[str, Any]:
    """Writes `model.keras` and returns what that model scores on validation and test."""
    model = classifier.with_probabilities()
    with replacing(plan.run.model) as temporary:
        model.save(temporary)
    scores: dict[str, Any] = {}
    for name in ("validation", "test"):
        if name in images:
            with Progress(name, len(images[name]), plan.config.batch_size) as progress:
                batches = evaluation_batches(images[name], plan.config.batch_size)
                probabilities = predict_batches(model, batches, progress.update)
            scores[name] = summarise(probabilities, images[name].split.labels)
    return scores


class _Clock:
    """Seconds since the last lap, by name, and in all."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Ends a lap."""
        now = time.perf_counter()
        self._laps[name] = round(now - self._last, 2)
        self._last = now

    @property
    def seconds(self) -> dict[str, float]:
        """The laps so far and their total."""
        return {**self._laps, "total": round(time.perf_counter() - self._start, 2)}


def _summary(plan: Plan, history: History, metrics: Mapping[str, Any]) -> str:
    """Returns what came out, where it is, and the next commands to type."""
    best = history.best
    scores = {name: metrics[name] for name in ("test", "validation") if name in metrics}
    results = [
        f"{name} accuracy {score['accuracy']:.4f} ({score['num_examples']:,} images)"
        for name, score in scores.items()
    ]
    run = shlex.quote(str(plan.run.path))
    return "\n".join(
        [
            "",
            *results,
            f"best epoch: {best.epoch} of the {best.phase} phase" if best else "",
            f"took {readable_seconds(metrics['seconds']['total'])}",
            f"model   {plan.run.model}",
            f"export  {metrics['export']}",
            "",
            "Next:",
            f"  tfxfer predict {run} IMAGE...",
            f"  tfxfer evaluate {run}",
            f"  tensorboard --logdir {run}",
        ]
    )
