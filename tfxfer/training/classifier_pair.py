"""A classifier in training precision, and its float32 twin for evaluation and saving."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Self

from tfxfer.config.decided import DecidedFinetune, DecidedFit
from tfxfer.models.classifier import Classifier, copy_weights
from tfxfer.planning.plan import Plan
from tfxfer.training.frozen.features import FeatureFunction
from tfxfer.training.frozen.kept import KeptActivations


@dataclass(frozen=True)
class Trainable:
    """The trainable part of a classifier; see `Classifier.unfreeze`.

    Attributes:
        unfreeze: "all", "none" (the head alone), or the first trainable stage.
        batch_norm: "frozen" or "adapt".
    """

    unfreeze: str
    batch_norm: str

    @classmethod
    def of(cls, finetune: DecidedFinetune) -> Self:
        """Returns the trainable part in the finetune phase."""
        return cls(finetune.unfreeze, finetune.batch_norm)


HEAD_ALONE = Trainable("none", "frozen")


@dataclass(frozen=True)
class ClassifierPair:
    """A classifier in training precision, and the same classifier in float32.

    The saved model is float32, so evaluation uses float32 too. Both freeze the same layers.

    Attributes:
        trained: The classifier in the precision of the run.
        exact: The classifier in float32; the same object as `trained` if the run is in float32.
        config: The settings that they were built with.
        kept: Activations from the pass that gives the features before training; None for none.
    """

    trained: Classifier
    exact: Classifier
    config: DecidedFit
    kept: KeptActivations | None

    @classmethod
    def of(cls, plan: Plan, classifier: Classifier) -> Self:
        """Returns the pair of a plan.

        Args:
            plan: Plan of the fit.
            classifier: The classifier of the plan with its weights loaded.
        """
        splits = plan.source.splits
        num_images = sum(len(splits.get(name, ())) for name in ("train", "validation"))
        if plan.config.precision == "float32":
            exact = classifier
        else:
            config = dataclasses.replace(plan.config, precision="float32")
            # From the same weights file, which for some networks decides the preprocessing.
            exact = dataclasses.replace(plan, config=config).build_classifier(plan.config.weights)
            copy_weights(classifier.model, exact.model)
        kept = KeptActivations.of(exact, plan.config, num_images)
        return cls(classifier, exact, plan.config, kept)

    @functools.cached_property
    def first_features(self) -> FeatureFunction:
        """The function of the features before training, which must not have begun."""
        return FeatureFunction.before_training(self.exact, self.config, self.kept)

    @property
    def is_mixed(self) -> bool:
        """Whether training runs in another precision than float32."""
        return self.exact is not self.trained

    def set_trainable(self, trainable: Trainable) -> None:
        """Makes exactly this part of both classifiers trainable; compile again afterwards."""
        for each in (self.trained, self.exact):
            each.unfreeze(trainable.unfreeze, trainable.batch_norm)

    def update_exact(self) -> None:
        """Copies the current weights of `trained` to `exact`."""
        copy_weights(self.trained.model, self.exact.model)
