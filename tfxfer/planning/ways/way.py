"""A way to fine-tune."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfxfer.config.decided import DecidedAugment, DecidedFinetune, DecidedFit
from tfxfer.config.schema import AugmentConfig, FinetuneConfig, FitConfig
from tfxfer.runs.search.record import HEAD_ALONE

_NO_GEOMETRY = {"shift": 0.0, "zoom": 0.0, "rotation": 0.0}

# A longer schedule has this many times the epochs.
LONGER = 2


@dataclass(frozen=True)
class Way:
    """A way to fine-tune.

    Attributes:
        finetune: Settings of the finetune phase; no epochs for the head alone.
        augment: Its augmentation.
        is_plain: Whether shift, zoom and rotation are turned off.
        labels: What else tells it from the default, such as "20 epochs", for its name.
        seed: Added to the seed of the run for the order and the augmentation of its images.
    """

    finetune: DecidedFinetune
    augment: DecidedAugment
    is_plain: bool = False
    labels: tuple[str, ...] = ()
    seed: int = 0

    @property
    def name(self) -> str:
        """What is trained, how fast, and on which images: "block_13 at 0.0003"."""
        if not self.finetune.epochs:
            return HEAD_ALONE
        parts = [f"{self.finetune.unfreeze} at {self.finetune.learning_rate:g}"]
        if self.finetune.layer_decay != 1:
            parts.append(f"layer decay {self.finetune.layer_decay:g}")
        parts += self.labels
        return ", ".join([*parts, "no shift or zoom"] if self.is_plain else parts)

    def applied(self, config: DecidedFit) -> DecidedFit:
        """Returns settings that fine-tune in this way, without a search; the seed is the same."""
        return dataclasses.replace(
            config, effort="quick", finetune=self.finetune, augment=self.augment
        )

    def without_warps(self, asked: FitConfig) -> "Way":
        """Returns the way without shift, zoom and rotation, except those that the user gave."""
        augment = dataclasses.replace(self.augment, **_left_open(_NO_GEOMETRY, asked.augment))
        return dataclasses.replace(self, augment=augment, is_plain=augment != self.augment)

    def without_flips(self) -> "Way":
        """Returns the way without mirrored images."""
        return dataclasses.replace(self, augment=dataclasses.replace(self.augment, flip=False))

    def changed(self, finetune: dict[str, Any], asked: FitConfig) -> "Way":
        """Returns the way with other settings of fine-tuning, as far as the user left them open."""
        settings = dataclasses.replace(self.finetune, **_left_open(finetune, asked.finetune))
        return dataclasses.replace(self, finetune=settings)

    def mixing(self, augment: dict[str, Any], asked: FitConfig) -> "Way":
        """Returns the way with another augmentation, as far as the user left it open."""
        changed = dataclasses.replace(self.augment, **_left_open(augment, asked.augment))
        return dataclasses.replace(self, augment=changed)

    def again(self, times: int) -> "Way":
        """Returns the way with another seed, and so many times the epochs."""
        finetune = dataclasses.replace(self.finetune, epochs=times * self.finetune.epochs)
        labels = self.labels
        if times > 1:
            others = (label for label in labels if not label.endswith("epochs"))
            labels = (*others, f"{finetune.epochs} epochs")
        return dataclasses.replace(
            self, finetune=finetune, labels=(*labels, "another seed"), seed=self.seed + 1
        )


def _left_open(changes: dict[str, Any], asked: FinetuneConfig | AugmentConfig) -> dict[str, Any]:
    """Returns the changes of settings that the user left as they are by default."""
    unset = type(asked)()
    return {key: x for key, x in changes.items() if getattr(asked, key) == getattr(unset, key)}
