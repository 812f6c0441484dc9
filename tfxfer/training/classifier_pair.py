"""A classifier as it is trained, and as it is judged and saved."""

import dataclasses
from dataclasses import dataclass
from typing import Self

from tfxfer.config.decided import DecidedFinetune
from tfxfer.models.classifier import Classifier, copy_weights
from tfxfer.planning.plan import Plan


@dataclass(frozen=True)
class Trainable:
    """What of a classifier is trained; see `Classifier.unfreeze`.

    Attributes:
        unfreeze: "all", "none", which is the head alone, or the first stage that is trained.
        batch_norm: "frozen" or "adapt".
    """

    unfreeze: str
    batch_norm: str

    @classmethod
    def of(cls, finetune: DecidedFinetune) -> Self:
        """Returns what the finetune phase trains."""
        return cls(finetune.unfreeze, finetune.batch_norm)


HEAD_ALONE = Trainable("none", "frozen")


@dataclass(frozen=True)
class ClassifierPair:
    """A classifier in the precision of its training, and the same in float32.

    What is saved is float32, and so that is what judges. What is frozen is the same in both.

    Attributes:
        trained: In the precision of the run.
        exact: In float32; `trained` itself where that is the precision of the run.
    """

    trained: Classifier
    exact: Classifier

    @classmethod
    def of(cls, plan: Plan, classifier: Classifier) -> Self:
        """Returns the pair of a plan.

        Args:
            plan: Of the fit.
            classifier: That of the plan, with its weights loaded.
        """
        if plan.config.precision == "float32":
            return cls(classifier, classifier)
        config = dataclasses.replace(plan.config, precision="float32")
        # Of the same weights' file, which decides of some networks what they do to the pixels.
        exact = dataclasses.replace(plan, config=config).build_classifier(plan.config.weights)
        copy_weights(classifier.model, exact.model)
        return cls(classifier, exact)

    @property
    def is_mixed(self) -> bool:
        """Whether the two are not one."""
        return self.exact is not self.trained

    def set_trainable(self, trainable: Trainable) -> None:
        """Makes this the only part of both that is trained; compile again after it."""
        for each in (self.trained, self.exact):
            each.unfreeze(trainable.unfreeze, trainable.batch_norm)

    def update_exact(self) -> None:
        """Gives the one that judges the weights that training has come to."""
        copy_weights(self.trained.model, self.exact.model)
