"""Fit: open the data, build the classifier, train its phases, keep the best, export."""

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.activations import ActivationSource
from tfxfer.augment import NO_CHANGES, changes_images
from tfxfer.cache import in_blocks
from tfxfer.checkpoint import Checkpoint, generator_states, restore_generators
from tfxfer.classifier import Classifier, copy_weights
from tfxfer.clients import how_to_try
from tfxfer.comparison import Comparison, scratch_config, transfer_config
from tfxfer.config import (
    AugmentConfig,
    FinetuneConfig,
    FitConfig,
    PhaseConfig,
    changed_to_toml,
    read_recipe,
    to_toml,
)
from tfxfer.data_record import describe_skipped, record_data, record_seen
from tfxfer.errors import UsageError
from tfxfer.evaluation import judge
from tfxfer.export import CHECK_IMAGES, export_saved_model
from tfxfer.features import FeatureFunction, Standardisation, feature_batches
from tfxfer.history import Epoch, History, solution_line
from tfxfer.interruption import Interruptions
from tfxfer.isolation import isolated
from tfxfer.journal import Journal
from tfxfer.linear import (
    PENALTIES,
    Examples,
    best_solution,
    finished,
    path_as_state,
    path_of_state,
    solve_path,
    start_of_finetuning,
)
from tfxfer.loops import (
    SCORED_SPLITS,
    Batches,
    PhaseTraining,
    finish,
    judge_logits,
    keeping_the_best,
)
from tfxfer.metrics import describe_scores, judging_split, softmax, summarise
from tfxfer.names import in_shell
from tfxfer.pipeline import (
    Images,
    Unreadable,
    naming_unreadable_images,
    open_images,
    training_batches,
)
from tfxfer.places import note_places
from tfxfer.plan import Plan, asked_settings, make_plan
from tfxfer.precision import leave_gpu_to_jax
from tfxfer.progress import Clock, readable_seconds
from tfxfer.reporting import Findings, write_report
from tfxfer.run_directory import (
    RunDirectory,
    locked,
    read_metrics,
    replacing,
    run_to_resume,
    start_run,
    write_json,
)
from tfxfer.streams import keep_going
from tfxfer.temperature import calibrate, describe_calibration, temper, tempered
from tfxfer.trained import TrainedClassifier
from tfxfer.trouble import naming_trouble
from tfxfer.weighting import judging_weights, training_weights

Say = Callable[[str], None]

# Steps on features between which Python is not asked.
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


@isolated
def describe_plan(config: FitConfig, *, resume: str | Path | None = None) -> str:
    """Returns what `fit` would do, as text; no weights are loaded and nothing is written."""
    plan = make_plan(asked_settings(FitConfig, config, {}, resume))
    return plan.describe(plan.build_classifier(weights="none"))


@isolated
def fit(
    config: FitConfig | None = None,
    *,
    resume: str | Path | None = None,
    say: Say = print,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> FitResult:
    """Trains a classifier on a pretrained backbone, exports it, and returns where it is.

    `tfxfer.fit(data="photos", backbone="resnet50", finetune={"epochs": 3})` does what
    `tfxfer fit --data photos --backbone resnet50 --finetune-epochs 3` does. A run that was
    interrupted goes on where it was when the same settings are given again; on a CPU it ends as it
    would have, bit for bit.

    Args:
        config: Settings; None for the defaults.
        resume: An interrupted run to go on with, under its own settings.
        say: Takes each line for the person who watches.
        callbacks: Keras' own, such as those of Weights & Biases or MLflow. Each phase is a `fit` of
            its own for them; of a head that is solved they are not told. The logs of
            an epoch have "loss", "accuracy", "val_loss", "val_accuracy" and "learning_rate".
        **settings: Settings by name that win over `config`, sections as dictionaries.

    Raises:
        UsageError: A setting is wrong, or is not that of the run to go on with.
        InterruptionError: Ctrl-C or SIGTERM; the message says how to go on.
        RunError: Data, weights, training or export failed; the message says what.
    """
    leave_gpu_to_jax()
    say = keep_going(say)
    asked = asked_settings(FitConfig, config, settings, resume)
    if resume is not None and (run := run_to_resume(resume)).is_finished:
        say(f"The run '{run.path}' is finished.")
        metrics = read_metrics(run)
        export = _where_exported(metrics["export"], asked)
        return FitResult(run.path, run.model, export, metrics)
    with Interruptions() as interruptions:
        plan = make_plan(asked)
        with naming_trouble(plan.run, plan.config, "fit"), locked(plan.run):
            return _fit(asked, plan, interruptions, say, callbacks)


def _fit(
    asked: FitConfig,
    plan: Plan,
    interruptions: Interruptions,
    say: Say,
    callbacks: Sequence[keras.callbacks.Callback],
) -> FitResult:
    """Does what `fit` does, of a run that this process has."""
    clock = Clock()
    classifier = plan.build_classifier(plan.config.weights)
    say(plan.describe(classifier) + "\n")
    clock.lap("data")
    images, skipped = open_images(plan.source.splits, plan.config)
    with naming_unreadable_images(*plan.source.splits.values()):
        trained = _train(
            plan, classifier, images, skipped, interruptions, clock, say, asked, callbacks
        )
        examples = images["validation"].encoded(CHECK_IMAGES)
    version = _exported_before(plan)
    if version is None:
        # Before the export too: should it fail, `tfxfer export` tries again without training.
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
    say(_summary(plan, trained.journal.history, metrics, skipped))
    if plan.config.compare_scratch:
        # A run that is resumed is asked for by settings that are all decided.
        first_asked = dataclasses.replace(
            read_recipe(plan.run.asked, FitConfig()),
            **{key: plan.config.get(key) for key in ("data", "data_dir", "weights", "cache_dir")},
        )
        comparison = _compare(first_asked, trained, interruptions, say)
        clock.lap("comparison")
        metrics |= {"comparison": comparison.as_json(), "seconds": clock.seconds}
        write_json(plan.run.metrics, metrics)
        say(f"{comparison.describe()}\n")
    page = _report(trained, metrics)
    clock.lap("report")
    metrics["seconds"] = clock.seconds
    write_json(plan.run.metrics, metrics)
    trained.journal.close()
    say(_next_steps(plan, version, page))
    return FitResult(plan.run.path, plan.run.model, version, metrics)


def _exported_before(plan: Plan) -> Path | None:
    """Returns the export that a run had published when it was interrupted."""
    if not plan.run.metrics.is_file():
        return None
    said = read_metrics(plan.run).get("export")
    version = None if said is None else _where_exported(said, plan.config)
    return version if version is not None and version.is_dir() else None


def _where_exported(said: str, config: FitConfig) -> Path:
    """Returns where an export lies, from the path that was written down in another directory.

    Args:
        said: The path, which may be relative to the directory in which the run was started.
        config: The settings of the run, whose paths lead there from here.
    """
    return Path(config.export_dir, *Path(said).parts[-2:])  # its name, and its version


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
        trained = _train(plan, classifier, images, skipped, interruptions, clock, say)
    trained = dataclasses.replace(trained, metrics=trained.metrics | {"seconds": clock.seconds})
    write_json(plan.run.metrics, trained.metrics)
    trained.journal.close()
    return trained


def _train(
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
    phases = _Phases(plan, classifier, images, journal, _in_float32(plan, classifier))
    clock.lap("images")

    def save() -> None:
        with replacing(plan.run.model) as temporary:
            classifier.with_probabilities().save(temporary)

    with keeping_the_best(journal, classifier.model, save, plan.run.model):
        phases.train_head()
        clock.lap("head")
        phases.finetune()
        clock.lap("finetune")
    finish(journal, classifier.model, plan.run.best_weights)
    probabilities = phases.probabilities()
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
        "parameters": {"total": classifier.num_parameters(), "trained": notes["num_trained"]},
    }
    if skipped:
        metrics["skipped"] = dict(Counter(one.split for one in skipped))
    if "penalty" in notes:
        metrics["penalty"] = notes["penalty"]
    clock.lap("evaluation")
    return Trained(plan, model, journal, metrics, images, probabilities)


def _in_float32(plan: Plan, classifier: Classifier) -> Classifier:
    """Returns the classifier of a plan itself if it computes in float32, else its copy that does.

    What is frozen is the same in both from then on.
    """
    if plan.config.precision == "float32":
        return classifier
    config = dataclasses.replace(plan.config, precision="float32")
    # Of the same weights' file, which decides of some networks what they do to the pixels.
    exact = dataclasses.replace(plan, config=config).build_classifier(plan.config.weights)
    copy_weights(classifier.model, exact.model)
    return exact


def _report(trained: Trained, metrics: Mapping[str, Any]) -> Path:
    """Writes the page that a person reads, from what is in memory, and returns where it is."""
    plan, source, images = trained.plan, trained.plan.source, trained.images
    name = judging_split(trained.probabilities)
    probabilities, labels = trained.probabilities[name], images[name].labels
    findings = Findings(
        run=plan.run,
        config=plan.config,
        metrics=metrics,
        epochs=trained.journal.history.epochs,
        model=trained.model,
        result=judge(source.name, name, source.class_names, probabilities, labels),
        images=images[name],
        labels={split: one.labels for split, one in images.items()},
        notes=source.notes,
    )
    with naming_unreadable_images(*source.splits.values()):
        return write_report(findings)


def _compare(
    asked: FitConfig, trained: Trained, interruptions: Interruptions, say: Say
) -> Comparison:
    """Trains the same network from random weights, too, and compares the two.

    Where the comparison is on fewer training images, the pretrained network is trained on them too.
    The runs lie in the run's directory; nothing of them is exported.
    """
    transfer = plan = trained.plan
    num_train = len(plan.source.splits["train"])
    limit = plan.config.compare_examples or num_train
    pretrained: Mapping[str, Any] = trained.metrics
    if limit < num_train:
        transfer = _part_of_run(plan, make_plan(transfer_config(asked, limit)), "transfer")
        say(f"\ncomparison: pretrained, on {limit:,} training images")
        pretrained = _scores(transfer, interruptions, say)
    scratch = _part_of_run(plan, make_plan(scratch_config(transfer.config)), "scratch")
    num_train = len(scratch.source.splits["train"])
    epochs = scratch.config.finetune.epochs
    say(f"\ncomparison: from random weights, on {num_train:,} images, {epochs} epochs")
    return Comparison(
        num_train=num_train,
        epochs=epochs,
        split=judging_split(pretrained),
        pretrained=pretrained,
        scratch=_scores(scratch, interruptions, say),
    )


def _part_of_run(whole: Plan, plan: Plan, name: str) -> Plan:
    """Returns a plan whose run lies inside that of another."""
    run = RunDirectory(whole.run.path / name)
    return dataclasses.replace(plan, run=run, config=dataclasses.replace(plan.config, run=name))


def _scores(plan: Plan, interruptions: Interruptions, say: Say) -> Mapping[str, Any]:
    """Returns the metrics of a run that a comparison needs; it is trained unless it was before."""
    if plan.run.is_finished:  # the comparison was interrupted after it
        return read_metrics(plan.run)
    return train(plan, interruptions, say).metrics


@dataclass
class _Phases:
    """The phases of one fit; each leaves the run's best weights in the classifier."""

    plan: Plan
    classifier: Classifier
    images: dict[str, Images]
    journal: Journal
    judged: Classifier  # the same in float32, as it is saved; itself where it is trained in that
    # Of `judged`, where the latest phase began to train; one of the two phases sets it.
    cut: ActivationSource = dataclasses.field(init=False)
    start: list[np.ndarray] | None = None  # weights of the head at which fine-tuning begins

    def train_head(self) -> None:
        """Trains the head with the backbone frozen; each image passes the backbone once."""
        config, classifier, journal = self.plan.config, self.classifier, self.journal
        if not config.head.epochs:
            return
        for each in (classifier, self.judged):
            each.freeze()
        if journal.is_past("head") and config.finetune.epochs:
            return
        exact = dataclasses.replace(config, precision="float32")
        function = FeatureFunction.of(self.judged.features, exact, config.head.pooling)
        self.cut = source = ActivationSource(config, self.judged.halves(), self.images, function)
        if journal.is_past("head"):
            return
        begun = journal.begin("head")
        self._note_trained()
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
            self._train_on_images("head", config.head, source, begun, augment)
        else:
            scale = Standardisation.of(train.activations, train.weights)
            learnt = Examples(scale.apply(train.activations), train.labels, train.weights)
            judged = Examples(
                scale.apply(validation.activations), validation.labels, self._judging_weights()
            )
            if config.head.optimizer == "lbfgs":
                self._solve_head(learnt, judged, scale, begun)
            else:
                self._train_head_on_features(learnt, judged, begun)
                classifier.head.set_weights(journal.best)
                classifier.absorb(scale)
            journal.best = classifier.model.get_weights()

    def finetune(self) -> None:
        """Trains the head together with the unfrozen stages, on augmented images."""
        phase, classifier, journal = self.plan.config.finetune, self.classifier, self.journal
        if not phase.epochs:
            return
        if journal.is_past("finetune"):
            self._unfreeze(phase)
            return
        # The best may be the head's, for none of the epochs that follow may be better.
        begun = journal.begin(
            "finetune",
            {
                "generators": generator_states(classifier.model),
                **({"start": self.start} if self.start else {}),
            },
        )
        if journal.best:
            classifier.model.set_weights(journal.best)
        if "generators" in begun.arrays:
            restore_generators(classifier.model, begun.arrays["generators"])
        if "start" in begun.arrays:
            classifier.head.set_weights(begun.arrays["start"])
        cut = self._unfreeze(phase)
        self._note_trained()
        self._train_on_images("finetune", phase, cut, begun, self.plan.config.augment)

    def probabilities(self) -> dict[str, np.ndarray]:
        """Returns what the trained network gives of the validation and test splits."""
        # What is saved is float32; the frozen half of this has done its work.
        copy_weights(self.classifier.model, self.judged.model)
        return {
            name: softmax(self.cut.judge(name).outputs())
            for name in SCORED_SPLITS
            if name in self.images
        }

    def _unfreeze(self, phase: FinetuneConfig) -> ActivationSource:
        """Unfreezes what the finetune phase trains, and returns where that begins."""
        for each in (self.classifier, self.judged):
            each.unfreeze(phase.unfreeze, phase.batch_norm)
        self.cut = ActivationSource(self.plan.config, self.judged.halves(), self.images)
        return self.cut

    def _note_trained(self) -> None:
        """Notes how many parameters some phase trains."""
        notes = self.journal.notes
        notes["num_trained"] = max(notes.get("num_trained", 0), self.classifier.num_trainable())

    def _solve_head(
        self, train: Examples, validation: Examples, scale: Standardisation, begun: Checkpoint
    ) -> None:
        """Solves the head by L-BFGS under each penalty, and keeps the best on validation.

        Where a finetune phase follows, it begins at another one; see `start_of_finetuning`.
        """
        config, head, journal = self.plan.config, self.plan.config.head, self.journal
        num_classes = len(self.plan.source.class_names)
        penalties = PENALTIES if head.penalty is None else (head.penalty,)
        start, path = time.perf_counter(), path_of_state(begun.state, begun.arrays)
        for solution in solve_path(
            *(train, validation, num_classes, head.epochs, config.label_smoothing, penalties),
            before=tuple(path),
        ):
            path.append(solution)
            journal.say(solution_line(solution, best_solution(path) is solution))
            if journal.is_due_after_epoch:
                journal.write(*path_as_state(path))
        first, best = start_of_finetuning(path, validation.effective_number), best_solution(path)
        if first is not best and config.finetune.epochs:
            journal.say(f"the finetune phase begins at the head of penalty {first.penalty:g}")
        best = finished(best, train, validation, head.epochs, config.label_smoothing)
        seconds = (time.perf_counter() - start) / len(best.passes)
        for number, scores in enumerate(best.passes, start=1):
            epoch = Epoch("head", number, 1.0, **vars(scores), seconds=round(seconds, 4))
            journal.history.add(epoch, kept=scores is best.scores)
        journal.notes["penalty"] = best.penalty
        self.classifier.head.set_weights(scale.absorbed(best.kernel, best.bias))
        self.start = list(scale.absorbed(first.kernel, first.bias))

    def _train_head_on_features(
        self, train: Examples, validation: Examples, begun: Checkpoint
    ) -> None:
        config, head = self.plan.config, self.classifier.head

        def batches(first: int, end: int, step: int) -> tf.data.Dataset:
            return feature_batches(
                train.features,
                train.labels,
                config.batch_size,
                seed=config.seed,
                epochs=end,
                weights=train.weights,
                first_epoch=first,
                first_step=step,
            )

        def validate() -> tuple[float, float]:
            # Called as it is: to compile it, and to ask Keras for batches, takes far longer.
            logits = [np.asarray(head(x, training=False)) for x in in_blocks(validation.features)]
            return judge_logits(
                *(np.concatenate(logits), validation.labels, config.label_smoothing),
                validation.weights,
            )

        self._train(head, "head", config.head, batches, validate, len(train.labels), head, begun)

    def _train_on_images(
        self,
        name: str,
        phase: PhaseConfig,
        judging: ActivationSource,
        begun: Checkpoint,
        augment: AugmentConfig = NO_CHANGES,
    ) -> None:
        """Trains on images or, where they do not change, on what the frozen half makes of them."""
        config, train, whole = self.plan.config, self.images["train"], self.classifier.model
        source = judging
        if self.judged is not self.classifier:
            source = ActivationSource(config, self.classifier.halves(), self.images)
        kept = None if changes_images(augment) else source.kept("train")
        model = source.halves.whole if kept is None else source.halves.trained

        def batches(first: int, end: int, step: int) -> tf.data.Dataset:
            places: dict[str, Any] = {"epochs": end, "first_epoch": first, "first_step": step}
            if kept is None:
                return training_batches(
                    train, config.batch_size, seed=config.seed, augment=augment, **places
                )
            return feature_batches(
                kept.activations,
                kept.labels,
                config.batch_size,
                seed=config.seed,
                weights=kept.weights,
                **places,
            )

        judge, weights = judging.judge("validation"), self._judging_weights()

        def validate() -> tuple[float, float]:
            copy_weights(whole, self.judged.model)
            return judge_logits(judge.outputs(), judge.labels, config.label_smoothing, weights)

        self._train(model, name, phase, batches, validate, len(train), whole, begun)

    def _train(
        self,
        model: keras.Model,
        name: str,
        phase: PhaseConfig,
        batches: Callable[[int, int, int], tf.data.Dataset],
        validate: Callable[[], tuple[float, float]],
        num_examples: int,
        kept: keras.Model,
        begun: Checkpoint,
    ) -> None:
        """Trains what is trainable of a model for what is left of a phase."""
        config = self.plan.config
        steps = math.ceil(num_examples / config.batch_size)
        PhaseTraining(
            journal=self.journal,
            config=config,
            name=name,
            phase=phase,
            model=model,
            kept=kept,
            batches=Batches(steps, batches),
            validate=validate,
            # A step on features takes less time than Python's part in it.
            most_together=_STEPS_TOGETHER if model is self.classifier.head else 1,
            patience=phase.patience if isinstance(phase, FinetuneConfig) else 0,
        ).run(begun)

    def _judging_weights(self) -> np.ndarray | None:
        """Returns what weighs the validation images that choose among epochs and penalties."""
        labels = self.images["validation"].labels
        return judging_weights(labels, self.plan.config.class_weights)


def _summary(
    plan: Plan, history: History, metrics: Mapping[str, Any], skipped: list[Unreadable]
) -> str:
    """Returns what came out and where it is."""
    best = history.best
    return "\n".join(
        [
            "",
            *describe_scores(metrics),
            describe_calibration(metrics["calibration"], judging_split(metrics)),
            *describe_skipped(plan.run, skipped),
            f"best epoch: {best.epoch} of the {best.phase} phase" if best else "",
            f"took {readable_seconds(metrics['seconds']['total'])}",
            f"model   {plan.run.model}",
            f"export  {metrics['export']}",
        ]
    )


def _next_steps(plan: Plan, version: Path, page: Path) -> str:
    """Returns where the report is, and the commands to type next."""
    run = in_shell(plan.run.path)
    commands = [
        f"tfxfer predict {run} IMAGE...",
        f"tfxfer evaluate {run}",
        f"tensorboard --logdir {run}",
        *how_to_try(version),
    ]
    return "\n".join([f"report  {page}", "", "Next:", *(f"  {command}" for command in commands)])
