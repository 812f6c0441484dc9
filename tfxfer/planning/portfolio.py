"""The portfolio of a search: a few ways to fine-tune, of which validation chooses one.

Pure functions, as the rules of `defaults`. "Measured" means `benchmarks/README.md`.
"""

from dataclasses import dataclass, replace
from typing import Self

from tfxfer.config.decided import DecidedFit
from tfxfer.config.schema import FitConfig
from tfxfer.planning.rules.facts import MANY_IMAGES, Facts
from tfxfer.planning.ways.cost import step_cost
from tfxfer.planning.ways.further import further_ways
from tfxfer.planning.ways.way import LONGER, Way

# On images that look unlike photographs, lower learning rates for earlier stages do about as well
# as the better of two learning rates for all of them (measured). The decay is AutoGluon's.
_DEEPER = {"unfreeze": "all", "learning_rate": 3e-4, "layer_decay": 0.9}

# Above this validation loss, training all of the backbone does better than the last resolution
# alone, and below it does not (measured on five sets and two networks).
_MUCH_TO_GAIN = 0.25


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
        further: What a thorough search tries after all others, as far as there is time: in order,
            each way for each augmentation; empty otherwise.
        times: How many times the epochs of the best way it is trained for in the end, with another
            seed, by a thorough search.
    """

    head_alone: Way
    ways: tuple[Way, ...]
    deeper: tuple[Way, ...] = ()
    much_to_gain: float = _MUCH_TO_GAIN
    further: tuple[tuple[Way, ...], ...] = ()
    times: int = 1

    @property
    def default(self) -> Way:
        """The way that is trained without a search."""
        return self.ways[0]

    @property
    def all_ways(self) -> tuple[Way, ...]:
        """All ways, the head alone first; their names differ."""
        tried = (*self.ways, *self.deeper, *(way for ways in self.further for way in ways))
        again = [way.again(self.times) for way in tried] if self.is_thorough else []
        return (self.head_alone, *tried, *again)

    @property
    def is_thorough(self) -> bool:
        """Whether the search takes all the time that there is."""
        return bool(self.further)

    @property
    def cost(self) -> float:
        """Maximum time of these trials, in that of the default's; caches may make it shorter."""
        last = self.default.finetune.unfreeze

        def cost(way: Way) -> float:
            return way.finetune.epochs * step_cost(way, last)

        return sum(map(cost, (*self.ways, *self.deeper[:1]))) / cost(self.default)

    @property
    def epochs(self) -> int:
        """Maximum number of epochs of the ways that are always tried, and of a deeper one."""
        tried = (*self.ways, *self.deeper[:1])
        return sum(way.finetune.epochs for way in tried)

    def without_flips(self) -> Self:
        """Returns the same ways, in none of which images are mirrored."""
        ways, deeper, *further = (
            tuple(way.without_flips() for way in group)
            for group in (self.ways, self.deeper, *self.further)
        )
        return replace(
            self,
            head_alone=self.head_alone.without_flips(),
            ways=ways,
            deeper=deeper,
            further=tuple(further),
        )

    def with_warps(self) -> Self:
        """Returns the same without the ways that neither shift nor zoom; not for a thorough one."""
        return replace(self, ways=self.ways[:1], deeper=self.deeper[:1])


def make_portfolio(config: DecidedFit, asked: FitConfig, facts: Facts) -> Portfolio | None:
    """Returns the portfolio of a fit; None if there is nothing to choose among.

    A setting that the user gave is the same in all ways. Besides the default there is one without
    the augmentation that moves pixels, which hurts where classes differ by fine texture, and one
    that trains all of the backbone, which helps where images look unlike photographs (measured on
    magnetic tiles and brain slices). From `MANY_IMAGES` on, a single fine-tuning takes long: only a
    thorough search tries more ways.

    Args:
        config: The settings, all decided.
        asked: The settings that the user gave.
        facts: The facts that the rules use.
    """
    is_pretrained = config.weights != "none"
    if not (config.finetune.epochs and config.head.epochs and is_pretrained):
        return None
    is_thorough = config.effort == "thorough"
    if facts.num_train >= MANY_IMAGES and not is_thorough:
        return None
    default = Way(config.finetune, config.augment)
    plain = default.without_warps(asked)
    ways = (default, plain) if plain.is_plain else (default,)
    deeper: tuple[Way, ...] = ()
    if asked.finetune.unfreeze is None and config.finetune.unfreeze != "all":
        deeper = tuple(way.changed(_DEEPER, asked) for way in ways)
    further = further_ways(ways, deeper, asked, facts) if is_thorough else ()
    if len(ways) + len(deeper) + len(further) < 2:
        return None
    head = Way(config.finetune.left_out("none"), config.augment.unmixed())
    times = LONGER if asked.finetune.epochs is None else 1
    return Portfolio(head, ways, deeper, further=further, times=times)
