"""A classifier in training precision, and its float32 twin for evaluation and saving."""

import dataclasses
from dataclasses import dataclass
from typing import Self

from tfxfer.config.decided import DecidedFinetune
from tfxfer.models.classifier import Classifier, copy_weights
from tfxfer.planning.plan import Plan


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
    """

    trained: Classifier
    exact: Classifier

    @classmethod
    def of(cls, plan: Plan, classifier: Classifier) -> Self:
        """Returns the pair of a plan.

        Args:
            plan: Plan of the fit.
            classifier: The classifier of the plan with its weights loaded.
        """
        if plan.config.precision == "float32":
            return cls(classifier, classifier)
        config = dataclasses.replace(plan.config, precision="float32")
        # From the same weights file, which for some networks decides the preprocessing.
        exact = dataclasses.replace(plan, config=config).build_classifier(plan.config.weights)
        copy_weights(classifier.model, exact.model)
        return cls(classifier, exact)

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
