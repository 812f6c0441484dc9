"""What the phases of a fit share: what they are given, and training by steps."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfxfer.config.decided import DecidedFit, GradientPhase
from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.augmentation import NO_CHANGES, changes_images
from tfxfer.data.image.dataset import Images
from tfxfer.data.weighting import judging_weights
from tfxfer.models.objectives import Scores
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.journal import Journal
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import ClassifierPair
from tfxfer.training.epochs.loop import Batches
from tfxfer.training.epochs.trainer import PhaseTraining


@dataclass(frozen=True)
class Materials:
    """What every phase of a fit works with.

    Attributes:
        config: Settings, all decided.
        classifiers: What is trained, and what judges it.
        images: The splits by name; "train" with the weights of its examples.
        journal: Of the run; after a phase `journal.best` has the best weights so far.
    """

    config: DecidedFit
    classifiers: ClassifierPair
    images: Mapping[str, Images]
    journal: Journal

    def judging_weights(self) -> np.ndarray | None:
        """Returns what weighs the validation images that choose among epochs and penalties."""
        return judging_weights(self.images["validation"].labels, self.config.class_weights)

    def note_trained(self) -> None:
        """Notes how many parameters are trained; of several phases, the most."""
        notes = self.journal.notes
        notes.num_trained = max(notes.num_trained, self.classifiers.trained.num_trainable())


@dataclass(frozen=True)
class Phase:
    """A phase that is trained by steps.

    Attributes:
        name: "head" or "finetune".
        settings: All decided.
        augment: Random changes to the images.
        patience: Epochs without a new best after which the phase stops; 0 never stops it.
    """

    name: str
    settings: GradientPhase
    augment: AugmentConfig = NO_CHANGES
    patience: int = 0


def train_on_images(
    given: Materials, phase: Phase, judging: ActivationSource, begun: Checkpoint
) -> None:
    """Trains on images or, where they do not change, on what the frozen half makes of them.

    Args:
        given: Whose classifiers have been told what of them is trained.
        phase: What is left of it is trained.
        judging: Of the classifier that judges.
        begun: Where the phase begins, or goes on.
    """
    config, journal, classifiers = given.config, given.journal, given.classifiers
    train, whole = given.images["train"], classifiers.trained.model
    objective = classifiers.trained.objective
    source = judging
    if classifiers.is_mixed:
        source = ActivationSource(config, classifiers.trained.halves(), given.images)
    kept = None if changes_images(phase.augment) else source.kept("train")
    judge, weights = judging.judge("validation"), given.judging_weights()

    def validate() -> Scores:
        classifiers.update_exact()
        return objective.scores(judge.outputs(), judge.labels, config.label_smoothing, weights)

    if kept is None:
        model = source.halves.whole
        batches = Batches.of_images(train, config, phase.augment)
    else:
        model = source.halves.trained
        batches = Batches.of_examples(kept, config)
    PhaseTraining(
        journal=journal,
        config=config,
        name=phase.name,
        phase=phase.settings,
        model=model,
        kept=whole,
        batches=batches,
        validate=validate,
        objective=objective,
        patience=phase.patience,
    ).run(begun)
