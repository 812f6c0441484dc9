"""The phases of a fit."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.config.decided import DecidedFinetune, GradientHead, GradientPhase
from tfxfer.config.schema import AugmentConfig, FinetuneConfig
from tfxfer.data.batches import feature_batches, training_batches
from tfxfer.data.cache import in_blocks
from tfxfer.data.image.augmentation import NO_CHANGES, changes_images
from tfxfer.data.image.dataset import Images
from tfxfer.data.weighting import judging_weights
from tfxfer.errors import UsageError
from tfxfer.evaluation.metrics import softmax
from tfxfer.models.classifier import Classifier, copy_weights
from tfxfer.models.standardisation import Standardisation
from tfxfer.planning.plan import Plan
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epoch
from tfxfer.runs.journal import Journal
from tfxfer.training.activations import ActivationSource
from tfxfer.training.epochs.callbacks import solution_line
from tfxfer.training.epochs.loop import Batches
from tfxfer.training.epochs.state import generator_states, restore_generators
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.epochs.validation import SCORED_SPLITS, judge_logits
from tfxfer.training.features import FeatureFunction
from tfxfer.training.logistic_regression import (
    PENALTIES,
    Examples,
    best_solution,
    finished,
    path_as_state,
    path_of_state,
    solve_path,
    start_of_finetuning,
)

# Steps on features between which Python is not asked.
_STEPS_TOGETHER = 32


@dataclass
class Phases:
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
                self._train_head_on_features(config.head, learnt, judged, begun)
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

    def _unfreeze(self, phase: DecidedFinetune) -> ActivationSource:
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
        self, phase: GradientHead, train: Examples, validation: Examples, begun: Checkpoint
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

        self._train(head, "head", phase, batches, validate, len(train.labels), head, begun)

    def _train_on_images(
        self,
        name: str,
        phase: GradientPhase,
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
        phase: GradientPhase,
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
