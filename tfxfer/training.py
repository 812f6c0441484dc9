"""Fit: open the data, build the classifier, train its phases, keep the best, export."""

import dataclasses
import math
import shlex
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.activations import ActivationSource
from tfxfer.augment import NO_CHANGES, changes_images
from tfxfer.cache import in_blocks
from tfxfer.classifier import Classifier
from tfxfer.clients import how_to_try
from tfxfer.comparison import Comparison, scratch_config, transfer_config
from tfxfer.config import AugmentConfig, FinetuneConfig, FitConfig, PhaseConfig, to_toml
from tfxfer.data_record import describe_skipped, record_data
from tfxfer.errors import UsageError
from tfxfer.export import CHECK_IMAGES, export_saved_model
from tfxfer.features import FeatureFunction, Standardisation, feature_batches
from tfxfer.history import Epoch, History, PhaseRecorder, solution_line
from tfxfer.linear import (
    PENALTIES,
    Examples,
    best_solution,
    finished,
    solve_path,
    start_of_finetuning,
)
from tfxfer.loops import SCORED_SPLITS, compiled_view, judge_logits, run_epochs, score_splits
from tfxfer.metrics import Summary, describe_scores, judging_split, softmax, summarise
from tfxfer.pipeline import (
    Images,
    Unreadable,
    naming_unreadable_images,
    open_images,
    training_batches,
)
from tfxfer.plan import Plan, make_plan
from tfxfer.precision import leave_gpu_to_jax
from tfxfer.progress import Clock, readable_seconds
from tfxfer.run_directory import RunDirectory, replacing, start_run, write_json
from tfxfer.trained import TrainedClassifier
from tfxfer.weighting import judging_weights, training_weights

Say = Callable[[str], None]

# A step on features takes less time than Python's part in it.
_STEPS_TOGETHER = 32


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
    clock.lap("data")
    images, skipped = open_images(plan.source.splits, plan.config)
    with naming_unreadable_images(*plan.source.splits.values()):
        trained = _train(plan, classifier, images, skipped, clock, say)
        examples = images["validation"].encoded(CHECK_IMAGES)
    # Before the export too: should that fail, `tfxfer export` tries again without training.
    write_json(plan.run.metrics, trained.metrics | {"seconds": clock.seconds})
    version = export_saved_model(
        TrainedClassifier(trained.model, plan.source.class_names, plan.run.model, plan.config),
        plan.export_directory,
        examples,
        trained.metrics,
        plan.config.min_accuracy,
    )
    clock.lap("export")
    metrics = trained.metrics | {"export": str(version), "seconds": clock.seconds}
    write_json(plan.run.metrics, metrics)
    say(_summary(plan, trained.history, metrics, skipped))
    if plan.config.compare_scratch:
        comparison = _compare(asked, plan, trained, say)
        clock.lap("comparison")
        metrics |= {"comparison": comparison.as_json(), "seconds": clock.seconds}
        write_json(plan.run.metrics, metrics)
        say(comparison.describe())
    say(_next_steps(plan, version))
    return FitResult(plan.run.path, plan.run.model, version, metrics)


@dataclass(frozen=True)
class _Trained:
    """What training leaves, beside the run's files."""

    model: keras.Model  # images to probabilities, float32
    history: History
    metrics: dict[str, Any]


def _train(
    plan: Plan,
    classifier: Classifier,
    images: dict[str, Images],
    skipped: list[Unreadable],
    clock: Clock,
    say: Say,
) -> _Trained:
    """Runs the phases of a plan, writes `model.keras`, and scores it."""
    for line in describe_skipped(plan.run, skipped):
        say(line)
    weights = training_weights(images["train"].split, plan.config.class_weights)
    images = {**images, "train": images["train"].weighted(weights)}
    start_run(plan.run, to_toml(plan.config), plan.source.class_names)
    record_data(plan.run, plan.source, images, skipped)
    history = History(plan.run)
    phases = _Phases(plan, classifier, images, history, say)
    clock.lap("images")
    phases.train_head()
    clock.lap("head")
    phases.finetune()
    clock.lap("finetune")
    history.close()
    model = classifier.with_probabilities()
    with replacing(plan.run.model) as temporary:
        model.save(temporary)
    metrics: dict[str, Any] = {
        **phases.scores(model),
        "data": {"name": plan.source.name, "fingerprint": plan.source.fingerprint()},
        "num_classes": len(plan.source.class_names),
        "parameters": {"total": classifier.num_parameters(), "trained": phases.num_trained},
    }
    if skipped:
        metrics["skipped"] = dict(Counter(one.split for one in skipped))
    if phases.penalty is not None:
        metrics["penalty"] = phases.penalty
    clock.lap("evaluation")
    return _Trained(model, history, metrics)


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
        split=judging_split(trained.metrics),
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
        clock.lap("data")
        images, skipped = open_images(plan.source.splits, plan.config)
        trained = _train(plan, classifier, images, skipped, clock, say)
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
    penalty: float | None = None  # that lbfgs chose
    start: list[np.ndarray] | None = None  # weights of the head at which fine-tuning begins
    cut: ActivationSource | None = None  # where the latest phase began to train

    def train_head(self) -> None:
        """Trains the head with the backbone frozen; each image passes the backbone once."""
        config, classifier = self.plan.config, self.classifier
        if not config.head.epochs:
            return
        classifier.freeze()
        self.num_trained = classifier.num_trainable()
        function = FeatureFunction.of(classifier.features, config, config.head.pooling)
        self.cut = source = ActivationSource(config, classifier.halves(), self.images, function)
        train = source.kept_with_views("train", config.head.augmented_views)
        validation = source.kept("validation")
        if train is None or validation is None:
            if config.head.optimizer == "lbfgs":
                raise UsageError(
                    "Setting 'head.optimizer' is 'lbfgs', which needs the features in memory, but "
                    f"they take more than {config.memory_gigabytes:g} GB. Raise "
                    "--memory-gigabytes, or choose 'adam', 'adamw' or 'sgd'."
                )
            augment = config.augment if config.head.augmented_views else NO_CHANGES
            self._train_on_images("head", config.head, source, augment)
        else:
            scale = Standardisation.of(train.activations, train.weights)
            learnt = Examples(scale.apply(train.activations), train.labels, train.weights)
            judged = Examples(
                scale.apply(validation.activations), validation.labels, self._judging_weights()
            )
            if config.head.optimizer == "lbfgs":
                self._solve_head(learnt, judged, scale)
                return
            self._train_head_on_features(learnt, judged)
            classifier.absorb(scale)

    def finetune(self) -> None:
        """Trains the head together with the unfrozen stages, on augmented images."""
        phase = self.plan.config.finetune
        if not phase.epochs:
            return
        if self.history.best:
            self._save_weights()  # the head's, for none of the epochs that follow may be better
        if self.start:
            self.classifier.head.set_weights(self.start)
        self.classifier.unfreeze(phase.unfreeze, phase.batch_norm)
        self.num_trained = max(self.num_trained, self.classifier.num_trainable())
        self.cut = ActivationSource(self.plan.config, self.classifier.halves(), self.images)
        self._train_on_images("finetune", phase, self.cut, self.plan.config.augment)
        self.classifier.model.load_weights(self.plan.run.best_weights)

    def scores(self, model: keras.Model) -> dict[str, Summary]:
        """Returns what the trained model scores on the validation and test splits.

        Args:
            model: Images to probabilities, as it is saved.
        """
        if self.cut is None or self.plan.config.precision != "float32":
            # What is saved is float32, and that is what is judged.
            return score_splits(model, self.images, self.plan.config.batch_size)
        # The same function, whose frozen half has done its work.
        return {
            name: summarise(softmax(self.cut.judge(name).outputs()), self.images[name].labels)
            for name in SCORED_SPLITS
            if name in self.images
        }

    def _solve_head(self, train: Examples, validation: Examples, scale: Standardisation) -> None:
        """Solves the head by L-BFGS under each penalty, and keeps the best on validation.

        Where a finetune phase follows, it begins at another one; see `start_of_finetuning`.
        """
        config, head = self.plan.config, self.plan.config.head
        num_classes = len(self.plan.source.class_names)
        penalties = PENALTIES if head.penalty is None else (head.penalty,)
        start, path = time.perf_counter(), []
        for solution in solve_path(
            train, validation, num_classes, head.epochs, config.label_smoothing, penalties
        ):
            path.append(solution)
            self.say(solution_line(solution, best_solution(path) is solution))
        first, best = start_of_finetuning(path, validation.effective_number), best_solution(path)
        if first is not best and config.finetune.epochs:
            self.say(f"the finetune phase begins at the head of penalty {first.penalty:g}")
        best = finished(best, train, validation, head.epochs, config.label_smoothing)
        seconds = (time.perf_counter() - start) / len(best.passes)
        for number, scores in enumerate(best.passes, start=1):
            epoch = Epoch("head", number, 1.0, **vars(scores), seconds=round(seconds, 4))
            self.history.add(epoch, kept=scores is best.scores)
        self.penalty = best.penalty
        self.classifier.head.set_weights(scale.absorbed(best.kernel, best.bias))
        self.start = list(scale.absorbed(first.kernel, first.bias))

    def _train_head_on_features(self, train: Examples, validation: Examples) -> None:
        config, head = self.plan.config, self.classifier.head
        best: list[np.ndarray] = []

        def keep_best() -> None:
            best[:] = head.get_weights()

        batches = feature_batches(
            train.features,
            train.labels,
            config.batch_size,
            seed=config.seed,
            epochs=config.head.epochs,
            weights=train.weights,
        )

        def validate() -> tuple[float, float]:
            # Called as it is: to compile it, and to ask Keras for batches, takes far longer.
            logits = [np.asarray(head(x, training=False)) for x in in_blocks(validation.features)]
            return judge_logits(
                *(np.concatenate(logits), validation.labels, config.label_smoothing),
                validation.weights,
            )

        self._train(head, "head", config.head, batches, validate, len(train.labels), keep_best)
        head.set_weights(best)

    def _train_on_images(
        self,
        name: str,
        phase: PhaseConfig,
        source: ActivationSource,
        augment: AugmentConfig = NO_CHANGES,
    ) -> None:
        """Trains on images or, where they do not change, on what the frozen half makes of them."""
        config, train = self.plan.config, self.images["train"]
        kept = None if changes_images(augment) else source.kept("train")
        if kept is None:
            model = source.halves.whole
            batches = training_batches(
                train, config.batch_size, seed=config.seed, epochs=phase.epochs, augment=augment
            )
        else:
            model = source.halves.trained
            batches = feature_batches(
                kept.activations,
                kept.labels,
                config.batch_size,
                seed=config.seed,
                epochs=phase.epochs,
                weights=kept.weights,
            )
        judge, weights = source.judge("validation"), self._judging_weights()

        def validate() -> tuple[float, float]:
            return judge_logits(judge.outputs(), judge.labels, config.label_smoothing, weights)

        self._train(model, name, phase, batches, validate, len(train), self._save_weights)

    def _train(
        self,
        model: keras.Model,
        name: str,
        phase: PhaseConfig,
        batches: tf.data.Dataset,
        validate: Callable[[], tuple[float, float]],
        num_examples: int,
        keep_best: Callable[[], None],
    ) -> None:
        """Trains what is trainable of a model for all epochs of a phase."""
        config = self.plan.config
        steps = math.ceil(num_examples / config.batch_size)
        together = _STEPS_TOGETHER if model is self.classifier.head else 1
        view = compiled_view(model, phase, steps, config.label_smoothing, together)
        recorder = PhaseRecorder(
            self.history,
            name,
            phase.epochs,
            validate,
            keep_best,
            phase.patience if isinstance(phase, FinetuneConfig) else 0,
            self.say,
        )
        run_epochs(view, phase, batches, [recorder], steps=steps)

    def _judging_weights(self) -> np.ndarray | None:
        """Returns what weighs the validation images that choose among epochs and penalties."""
        labels = self.images["validation"].labels
        return judging_weights(labels, self.plan.config.class_weights)

    def _save_weights(self) -> None:
        with replacing(self.plan.run.best_weights) as temporary:
            self.classifier.model.save_weights(temporary)


def _summary(
    plan: Plan, history: History, metrics: Mapping[str, Any], skipped: list[Unreadable]
) -> str:
    """Returns what came out and where it is."""
    best = history.best
    return "\n".join(
        [
            "",
            *describe_scores(metrics),
            *describe_skipped(plan.run, skipped),
            f"best epoch: {best.epoch} of the {best.phase} phase" if best else "",
            f"took {readable_seconds(metrics['seconds']['total'])}",
            f"model   {plan.run.model}",
            f"export  {metrics['export']}",
        ]
    )


def _next_steps(plan: Plan, version: Path) -> str:
    """Returns the commands to type next."""
    run = shlex.quote(str(plan.run.path))
    commands = [
        f"tfxfer predict {run} IMAGE...",
        f"tfxfer evaluate {run}",
        f"tensorboard --logdir {run}",
        *how_to_try(version),
    ]
    return "\n".join(["", "Next:", *(f"  {command}" for command in commands)])
