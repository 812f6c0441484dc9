"""What the phases of a fit share: their materials, batches, and training by gradient steps."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from tfxfer.config.decided import DecidedFinetune, DecidedFit, DecidedRun, GradientPhase
from tfxfer.config.schema import AugmentConfig
from tfxfer.data.batches import Views, feature_batches, training_batches
from tfxfer.data.image.augmentation.changes import NO_CHANGES, changes_images, only_flips
from tfxfer.data.image.augmentation.mixing import mixes_images
from tfxfer.data.image.dataset import Images
from tfxfer.data.weighting import evaluation_weights
from tfxfer.models.objectives import NOT_VALIDATED, Objective, Scores
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.journal import Journal
from tfxfer.runs.search.journals import PhaseJournal
from tfxfer.system.processes.shares import Share
from tfxfer.training.classifier_pair import ClassifierPair, Trainable
from tfxfer.training.epochs.loop import Batches
from tfxfer.training.epochs.pool import WeightPool
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.examples import Examples, Floats
from tfxfer.training.frozen.activations import ActivationSource


@dataclass(frozen=True)
class Materials:
    """The materials that every phase of a fit works with.

    Attributes:
        config: Settings, all decided.
        classifiers: The classifier in training precision and in float32.
        images: The splits by name; "train" has sample weights. Without "validation" the last epoch
            is kept.
        journal: Journal of the run; after a phase `journal.best` has the best weights so far.
    """

    config: DecidedFit
    classifiers: ClassifierPair
    images: Mapping[str, Images]
    journal: Journal

    @property
    def is_validated(self) -> bool:
        """Whether there are validation images."""
        return "validation" in self.images

    def evaluation_weights(self) -> np.ndarray | None:
        """Returns the sample weights of validation, used to choose epochs and penalties."""
        return evaluation_weights(self.images["validation"].labels, self.config.class_weights)

    def source(self, trainable: Trainable) -> ActivationSource:
        """Makes a part of the classifiers trainable, and returns the source of their outputs."""
        self.classifiers.set_trainable(trainable)
        classifiers = self.classifiers
        halves, kept = classifiers.exact.halves(), classifiers.kept
        return ActivationSource(self.config, halves, self.images, kept=kept)

    def note_trained(self) -> None:
        """Records the number of trainable parameters; the maximum over phases."""
        notes = self.journal.notes
        notes.num_trained = max(notes.num_trained, self.classifiers.trained.num_trainable())


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions for images that a model is trained on, each by one that had not seen it.

    Attributes:
        images: The images.
        probabilities: By number, (num_images, num_classes).
        num_train: How many images would be training images if the others were validation.
    """

    images: Images
    probabilities: Floats
    num_train: int


# What a phase and its training both have.
_OF_PHASE = ("rate_factors", "ema", "patience", "pool", "passes_after")


@dataclass(frozen=True)
class Phase:
    """A phase that is trained by gradient steps.

    Attributes:
        name: "head" or "finetune".
        settings: Settings of the phase, all decided.
        augment: Augmentation of the training images.
        patience: Epochs without improvement before early stopping; 0 disables it.
        rate_factors: See `build_optimizer`.
        ema: See `PhaseTraining`.
        pool: See `PhaseTraining`.
        passes_after: See `PhaseTraining`.
    """

    name: str
    settings: GradientPhase
    augment: AugmentConfig = NO_CHANGES
    patience: int = 0
    rate_factors: Mapping[int, float] | None = None
    ema: float = 0.0
    pool: WeightPool = field(default_factory=WeightPool)
    passes_after: int = 0


def image_batches(
    images: Images, config: DecidedRun, augment: AugmentConfig, num_classes: int
) -> Batches:
    """Returns the batches of a phase that is trained on images.

    Args:
        images: Training images.
        config: Settings of the run; `batch_size` and `seed` are read.
        augment: Augmentation, drawn again in each epoch.
        num_classes: How many classes or labels there are.
    """

    def between(first: int, end: int, step: int, share: Share | None = None) -> tf.data.Dataset:
        return training_batches(
            images,
            config.batch_size,
            seed=config.seed,
            epochs=end,
            augment=augment,
            num_classes=num_classes,
            start=(first, step),
            share=share,
        )

    return Batches(math.ceil(len(images) / config.batch_size), between)


def example_batches(examples: Examples, config: DecidedRun, views: int = 0) -> Batches:
    """Returns the batches of a phase that is trained on examples in memory.

    Args:
        examples: The examples.
        config: Settings of the run; `batch_size` and `seed` are read.
        views: How many views of each there are, view after view; 0 for the examples as they are.
    """
    features = Views(examples.features, views) if views else examples.features

    def between(first: int, end: int, step: int, share: Share | None = None) -> tf.data.Dataset:
        return feature_batches(
            features,
            examples.labels,
            config.batch_size,
            seed=config.seed,
            epochs=end,
            weights=examples.weights,
            start=(first, step),
            share=share,
        )

    return Batches(math.ceil(len(examples.labels) / config.batch_size), between)


def train_on_images(
    given: Materials, phase: Phase, evaluated: ActivationSource, checkpoint: Checkpoint
) -> None:
    """Trains a phase; see `phase_training`.

    Args:
        given: Materials of the fit; the trainable part of its classifiers is set.
        phase: The phase to train.
        evaluated: Source of the float32 classifier's outputs.
        checkpoint: Where the phase starts or resumes.
    """
    phase_training(given, phase, evaluated, given.journal).run(checkpoint)


def model_and_batches(
    given: Materials, phase: Phase, evaluated: ActivationSource
) -> tuple[keras.Model, Batches, Objective]:
    """Returns the model that a phase trains, its batches, and the objective that fits them.

    They are images or their frozen activations: without augmentation, where an image is mirrored
    and nothing else happens to it, so that there are two activations of each, or where several
    epochs see the same views.

    Args:
        given: Materials of the fit; the trainable part of its classifiers is set.
        phase: The phase to train.
        evaluated: Source of the float32 classifier's outputs.
    """
    config, classifiers = given.config, given.classifiers
    objective, source = classifiers.trained.objective, evaluated
    if classifiers.is_mixed:
        source = ActivationSource(config, classifiers.trained.halves(), given.images)
    is_mixing, views, settings = mixes_images(phase.augment), 0, phase.settings
    if isinstance(settings, DecidedFinetune) and phase.augment.makes_views:
        views = settings.num_views
    if only_flips(phase.augment):
        cached = source.cached_with_mirror_images("train")
    elif views:
        cached = source.cached_views("train", phase.augment, config.seed, views)
    else:
        uses_images = is_mixing or changes_images(phase.augment)
        cached = None if uses_images else source.cached("train")
    if is_mixing:
        objective = objective.of_soft_targets()
    if cached is not None:
        return source.halves.trained, example_batches(cached, config, views), objective
    # Between ordered classes there is one output less.
    num_classes = classifiers.trained.model.output_shape[-1] + objective.is_ordered
    batches = image_batches(given.images["train"], config, phase.augment, num_classes)
    return source.halves.whole, batches, objective


def phase_training(
    given: Materials, phase: Phase, evaluated: ActivationSource, journal: PhaseJournal
) -> PhaseTraining:
    """Returns the training of a phase; see `model_and_batches`.

    Args:
        given: Materials of the fit; the trainable part of its classifiers is set.
        phase: The phase to train.
        evaluated: Source of the float32 classifier's outputs.
        journal: Journal of the fit, or of a trial.
    """
    config, classifiers = given.config, given.classifiers
    model, batches, training_objective = model_and_batches(given, phase, evaluated)
    validate = _validating(given, evaluated) if given.is_validated else lambda: NOT_VALIDATED
    return PhaseTraining(
        journal=journal,
        config=config,
        name=phase.name,
        phase=phase.settings,
        model=model,
        kept=classifiers.trained.model,
        batches=batches,
        validate=validate,
        objective=training_objective,
        **{name: getattr(phase, name) for name in _OF_PHASE},
    )


def _validating(given: Materials, evaluated: ActivationSource) -> Callable[[], Scores]:
    """Returns what gives the current scores on validation."""
    predictor, weights = evaluated.predictor("validation"), given.evaluation_weights()
    classifiers, smoothing = given.classifiers, given.config.label_smoothing

    def validate() -> Scores:
        classifiers.update_exact()
        return classifiers.trained.objective.scores(
            predictor.outputs(), predictor.labels, smoothing, weights
        )

    return validate
