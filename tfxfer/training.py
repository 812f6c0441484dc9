"""Fit: open the data, build the classifier, train its phases, keep the best, export."""

import dataclasses
import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.classifier import Classifier
from tfxfer.comparison import Comparison, scratch_config, transfer_config
from tfxfer.config import FinetuneConfig, FitConfig, PhaseConfig, to_toml
from tfxfer.export import export_saved_model
from tfxfer.features import (
    FrozenFeatures,
    Standardisation,
    feature_batches,
    fit_in_memory,
    predict_batches,
)
from tfxfer.history import History, PhaseRecorder
from tfxfer.loops import compiled_view, run_epochs, score_splits
from tfxfer.metrics import describe_scores
from tfxfer.pipeline import Images, evaluation_batches, naming_unreadable_images, training_batches
from tfxfer.plan import Plan, make_plan
from tfxfer.precision import leave_gpu_to_jax
from tfxfer.progress import Clock, Progress, readable_seconds
from tfxfer.run_directory import RunDirectory, replacing, start_run, write_json

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
    clock = Clock()
    leave_gpu_to_jax()
    asked = (config or FitConfig()).with_settings(settings)
    plan = make_plan(asked)
    classifier = plan.build_classifier(plan.config.weights)
    say(plan.describe(classifier) + "\n")
    images = _open_images(plan)
    with naming_unreadable_images(*plan.source.splits.values()):
        trained = _train(plan, classifier, images, clock, say)
        examples = images["validation"].encoded(_EXPORT_CHECK_IMAGES)
    version = export_saved_model(plan.run.model, plan.export_directory, examples)
    clock.lap("export")
    metrics = trained.metrics | {"export": str(version), "seconds": clock.seconds}
    write_json(plan.run.metrics, metrics)
    say(_summary(plan, trained.history, metrics))
    if plan.config.compare_scratch:
        comparison = _compare(asked, plan, trained, say)
        clock.lap("comparison")
        metrics |= {"comparison": comparison.as_json(), "seconds": clock.seconds}
        write_json(plan.run.metrics, metrics)
        say(comparison.describe())
    say(_next_steps(plan))
    return FitResult(plan.run.path, plan.run.model, version, metrics)


@dataclass(frozen=True)
class _Trained:
    """What training leaves, beside the run's files."""

    history: History
    metrics: dict[str, Any]


def _open_images(plan: Plan) -> dict[str, Images]:
    splits = plan.source.splits
    return {name: Images(split, plan.config.input_size) for name, split in splits.items()}


def _train(
    plan: Plan, classifier: Classifier, images: dict[str, Images], clock: Clock, say: Say
) -> _Trained:
    """Runs the phases of a plan, writes `model.keras`, and scores it."""
    start_run(plan.run, to_toml(plan.config), plan.source.class_names)
    history = History(plan.run)
    phases = _Phases(plan, classifier, images, history, say)
    clock.lap("data")
    phases.train_head()
    clock.lap("head")
    phases.finetune()
    clock.lap("finetune")
    history.close()
    model = classifier.with_probabilities()
    with replacing(plan.run.model) as temporary:
        model.save(temporary)
    metrics = {
        **score_splits(model, images, plan.config.batch_size),
        "num_classes": len(plan.source.class_names),
        "parameters": {"total": classifier.num_parameters(), "trained": phases.num_trained},
    }
    clock.lap("evaluation")
    return _Trained(history, metrics)


def _compare(asked: FitConfig, plan: Plan, trained: _Trained, say: Say) -> Comparison:
    """Trains the plan's network from random weights, too, and compares the two.

    Where the comparison is on fewer training images, the pretrained network is trained on them too.
    The runs lie in the run's directory; nothing of them is exported.
    """
    num_train = len(plan.source.splits["train"])
    limit = plan.config.compare_examples or num_train
    transfer = plan
    if limit < num_train:
        transfer = _part_of_run(plan, make_plan(transfer_config(asked, limit)), "transfer")
        say(f"\ncomparison: pretrained, on {limit:,} training images")
        trained = _train_again(transfer, say)
    scratch = _part_of_run(plan, make_plan(scratch_config(transfer.config)), "scratch")
    num_train = len(scratch.source.splits["train"])
    epochs = scratch.config.finetune.epochs
    say(f"\ncomparison: from random weights, on {num_train:,} images, {epochs} epochs")
    return Comparison(
        num_train=num_train,
        epochs=epochs,
        split="test" if "test" in trained.metrics else "validation",
        pretrained=trained.metrics,
        scratch=_train_again(scratch, say).metrics,
    )


def _part_of_run(whole: Plan, plan: Plan, name: str) -> Plan:
    """Returns a plan whose run lies inside that of another."""
    run = RunDirectory(whole.run.path / name)
    return dataclasses.replace(plan, run=run, config=dataclasses.replace(plan.config, run=name))


def _train_again(plan: Plan, say: Say) -> _Trained:
    """Trains what a comparison needs: the run is complete, but without an export."""
    clock = Clock()
    with naming_unreadable_images(*plan.source.splits.values()):
        classifier = plan.build_classifier(plan.config.weights)
        trained = _train(plan, classifier, _open_images(plan), clock, say)
    write_json(plan.run.metrics, trained.metrics | {"seconds": clock.seconds})
    return trained


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
            features = self._features("train")
            scale = Standardisation.of(features)
            batches = feature_batches(
                scale.apply(features),
                train.split.labels,
                config.batch_size,
                seed=config.seed,
                epochs=config.head.epochs,
            )
            validation_batches = feature_batches(
                scale.apply(self._features("validation")),
                validation.split.labels,
                _EVALUATION_BATCH,
                seed=None,
                epochs=1,
            )
        else:
            scale = None
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
        if scale:
            classifier.absorb(scale)
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
        view = compiled_view(model, phase, steps, config.label_smoothing)
        self.num_trained = max(self.num_trained, self.classifier.num_trainable())
        patience = phase.patience if isinstance(phase, FinetuneConfig) else 0
        recorder = PhaseRecorder(self.history, name, phase.epochs, keep_best, patience, self.say)
        run_epochs(view, phase, batches, validation, [recorder], steps=steps)

    def _save_weights(self) -> None:
        with replacing(self.plan.run.best_weights) as temporary:
            self.classifier.model.save_weights(temporary)


def _summary(plan: Plan, history: History, metrics: Mapping[str, Any]) -> str:
    """Returns what came out and where it is."""
    best = history.best
    return "\n".join(
        [
            "",
            *describe_scores(metrics),
            f"best epoch: {best.epoch} of the {best.phase} phase" if best else "",
            f"took {readable_seconds(metrics['seconds']['total'])}",
            f"model   {plan.run.model}",
            f"export  {metrics['export']}",
        ]
    )


def _next_steps(plan: Plan) -> str:
    """Returns the commands to type next."""
    run = shlex.quote(str(plan.run.path))
    commands = [
        f"tfxfer predict {run} IMAGE...",
        f"tfxfer evaluate {run}",
        f"tensorboard --logdir {run}",
    ]
    return "\n".join(["", "Next:", *(f"  {command}" for command in commands)])
