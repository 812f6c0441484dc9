"""The portfolio of a search: a few ways to fine-tune, of which validation chooses one.

Pure functions, as the rules of `defaults`. "Measured" means `benchmarks/README.md`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tfxfer.config.decided import DecidedAugment, DecidedFinetune, DecidedFit
from tfxfer.config.schema import AugmentConfig, FinetuneConfig, FitConfig
from tfxfer.planning.defaults import MANY_IMAGES, Facts
from tfxfer.runs.search.record import HEAD_ALONE

# On images that look unlike photographs, lower learning rates for earlier stages do about as well
# as the better of two learning rates for all of them (measured). The decay is AutoGluon's.
_DEEPER = {"unfreeze": "all", "learning_rate": 3e-4, "layer_decay": 0.9}

# Above this validation loss, training all of the backbone does better than the last resolution
# alone, and below it does not (measured on five sets and two networks).
_MUCH_TO_GAIN = 0.25

_NO_GEOMETRY = {"shift": 0.0, "zoom": 0.0, "rotation": 0.0}


@dataclass(frozen=True)
class Way:
    """A way to fine-tune.

    Attributes:
        finetune: Settings of the finetune phase; no epochs for the head alone.
        augment: Its augmentation.
        is_plain: Whether shift, zoom and rotation are turned off.
    """

    finetune: DecidedFinetune
    augment: DecidedAugment
    is_plain: bool = False

    @property
    def name(self) -> str:
        """What is trained, how fast, and on which images: "block_13 at 0.0003"."""
        if not self.finetune.epochs:
            return HEAD_ALONE
        name = f"{self.finetune.unfreeze} at {self.finetune.learning_rate:g}"
        if self.finetune.layer_decay != 1:
            name += f", layer decay {self.finetune.layer_decay:g}"
        return f"{name}, no shift or zoom" if self.is_plain else name

    def applied(self, config: DecidedFit) -> DecidedFit:
        """Returns settings that fine-tune in this way, without a search."""
        return dataclasses.replace(
            config, effort="quick", finetune=self.finetune, augment=self.augment
        )


@dataclass(frozen=True)
class Portfolio:
    """The ways among which a search chooses.

    Attributes:
        head_alone: The head without fine-tuning.
        ways: The ways that are always tried, the default first. They differ in augmentation.
        deeper: For each of them, the way that trains all of the backbone on the same images. The
            one for the augmentation that did better is tried last, if there is much to gain. Empty
            if the default trains all.
        much_to_gain: Validation loss, after temperature scaling, above which that is.
    """

    head_alone: Way
    ways: tuple[Way, ...]
    deeper: tuple[Way, ...] = ()
    much_to_gain: float = _MUCH_TO_GAIN

    @property
    def default(self) -> Way:
        """The way that is trained without a search."""
        return self.ways[0]

    @property
    def all_ways(self) -> tuple[Way, ...]:
        """All ways, the head alone first; their names differ."""
        return (self.head_alone, *self.ways, *self.deeper)

    @property
    def epochs(self) -> int:
        """Maximum number of epochs that the search trains."""
        tried = (*self.ways, *self.deeper[:1])
        return sum(way.finetune.epochs for way in tried)


def make_portfolio(config: DecidedFit, asked: FitConfig, facts: Facts) -> Portfolio | None:
    """Returns the portfolio of a fit; None if there is nothing to choose among.

    A setting that the user gave is the same in all ways. Besides the default there is one without
    the augmentation that moves pixels, which hurts where classes differ by fine texture, and one
    that trains all of the backbone, which helps where images look unlike photographs (measured on
    magnetic tiles and brain slices). From `MANY_IMAGES` on, a single fine-tuning takes long, and
    the default of so many images is safe.

    Args:
        config: The settings, all decided.
        asked: The settings that the user gave.
        facts: The facts that the rules use.
    """
    is_pretrained = config.weights != "none"
    if not (config.finetune.epochs and config.head.epochs and is_pretrained):
        return None
    if facts.num_train >= MANY_IMAGES:
        return None
    default = Way(config.finetune, config.augment)
    ways = _distinct([default, _changed(default, asked, augment=_NO_GEOMETRY)])
    deeper: tuple[Way, ...] = ()
    if asked.finetune.unfreeze is None and config.finetune.unfreeze != "all":
        deeper = tuple(_changed(way, asked, finetune=_DEEPER) for way in ways)
    if len(ways) + len(deeper) < 2:
        return None
    head = dataclasses.replace(config.finetune, unfreeze="none", epochs=0)
    return Portfolio(Way(head, config.augment), ways, deeper)


def _distinct(ways: list[Way]) -> tuple[Way, ...]:
    return tuple({(way.finetune, way.augment): way for way in ways}.values())


def _changed(
    way: Way,
    asked: FitConfig,
    finetune: Mapping[str, Any] = MappingProxyType({}),
    augment: Mapping[str, Any] = MappingProxyType({}),
) -> Way:
    """Returns a way with some settings changed, except those that the user gave."""
    finetune = _without_given(finetune, asked.finetune, FinetuneConfig())
    augment = _without_given(augment, asked.augment, AugmentConfig())
    changed = dataclasses.replace(way.augment, **augment)
    return Way(
        dataclasses.replace(way.finetune, **finetune),
        changed,
        way.is_plain or changed != way.augment,
    )


def _without_given(
    changes: Mapping[str, Any], asked: FinetuneConfig | AugmentConfig, unset: Any
) -> dict[str, Any]:
    """Returns the changes of settings that the user left as they are by default."""
    return {
        key: value for key, value in changes.items() if getattr(asked, key) == getattr(unset, key)
    }
