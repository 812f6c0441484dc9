"""The portfolio of a search: a few ways to fine-tune, of which validation chooses one.

Pure functions, as the rules of `defaults`. "Measured" means `benchmarks/README.md`.
"""

import dataclasses
from dataclasses import dataclass
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
    plain = _plain(default, asked)
    ways = (default, plain) if plain.is_plain else (default,)
    deeper: tuple[Way, ...] = ()
    if asked.finetune.unfreeze is None and config.finetune.unfreeze != "all":
        deeper = tuple(_deeper(way, asked) for way in ways)
    if len(ways) + len(deeper) < 2:
        return None
    head = Way(config.finetune.left_out("none"), config.augment.unmixed())
    return Portfolio(head, ways, deeper)


def _plain(way: Way, asked: FitConfig) -> Way:
    """Returns a way without shift, zoom and rotation, except those that the user gave."""
    augment = dataclasses.replace(way.augment, **_left_open(_NO_GEOMETRY, asked.augment))
    return dataclasses.replace(way, augment=augment, is_plain=augment != way.augment)


def _deeper(way: Way, asked: FitConfig) -> Way:
    """Returns a way that trains all of the backbone, as far as the user left that open."""
    finetune = dataclasses.replace(way.finetune, **_left_open(_DEEPER, asked.finetune))
    return dataclasses.replace(way, finetune=finetune)


def _left_open(changes: dict[str, Any], asked: FinetuneConfig | AugmentConfig) -> dict[str, Any]:
    """Returns the changes of settings that the user left as they are by default."""
    unset = type(asked)()
    return {key: x for key, x in changes.items() if getattr(asked, key) == getattr(unset, key)}
