"""The portfolio of a search: a few ways to fine-tune, of which validation chooses one.

Pure functions, as the rules of `defaults`. "Measured" means `benchmarks/README.md`.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from tfxfer.config.decided import DecidedAugment, DecidedFinetune, DecidedFit
from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import SMALL_IMAGE, Facts
from tfxfer.runs.search.record import HEAD_ALONE

# Epochs of the way that is chosen. On six sets, near and far, 10 do better than 5 (measured).
_EPOCHS = 10

# The first rung has this share of these epochs. With five ways, of which two are trained again for
# twice as long, the search then costs 9 epochs where the way that is chosen costs 10.
_FIRST_SHARE = 0.1

# Fewer steps hardly move the weights: the learning rate warms up and decays within them.
_MIN_STEPS = 16

# Maximum share of a trial's epochs in which the learning rate warms up.
_WARMUP_SHARE = 0.25

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
        return f"{name}, no shift or zoom" if self.is_plain else name

    def schedule(self, epochs: int) -> DecidedFinetune:
        """Returns the settings of a short but complete schedule: from warm-up to the last step.

        Args:
            epochs: Length of the trial.
        """
        warmup = min(self.finetune.warmup_epochs, _WARMUP_SHARE * epochs)
        return dataclasses.replace(self.finetune, epochs=epochs, warmup_epochs=warmup)

    def applied(self, config: DecidedFit) -> DecidedFit:
        """Returns settings that fine-tune in this way, without a search."""
        return dataclasses.replace(
            config, effort="quick", finetune=self.finetune, augment=self.augment
        )


@dataclass(frozen=True)
class Portfolio:
    """The ways among which a search chooses, and how long each is tried.

    Attributes:
        head_alone: The head without fine-tuning; its validation loss is known.
        ways: The ways that are trained, the simplest first; their names differ.
        rungs: Epochs of a trial in the first rung and in the second.
    """

    head_alone: Way
    ways: tuple[Way, ...]
    rungs: tuple[int, int]

    @property
    def num_kept(self) -> int:
        """Number of ways that are left after the first rung, in which the worse half is dropped."""
        return max(1, len(self.ways) // 2)

    @property
    def epochs(self) -> int:
        """Maximum number of epochs that the search trains."""
        if len(self.ways) == 1:
            return 0
        first, second = self.rungs
        again = self.num_kept if self.num_kept > 1 else 0
        return len(self.ways) * first + again * second


def make_portfolio(config: DecidedFit, asked: FitConfig, facts: Facts) -> Portfolio:
    """Returns the portfolio of a fit. A setting that the user gave is the same in all ways.

    The first way is the default. The others train the last resolution or all of the backbone, at
    rates that do better on some sets and worse on others, and once without the augmentation that
    moves pixels, which hurts where classes differ by fine texture (measured on magnetic tiles). A
    network for small images has other rates: its default is higher.

    Args:
        config: The settings, all decided.
        asked: The settings that the user gave.
        facts: The facts that the rules use.
    """
    default = Way(config.finetune, config.augment)
    epochs = asked.finetune.epochs or max(_EPOCHS, config.finetune.epochs)
    last, everything = {"unfreeze": facts.last_resolution}, {"unfreeze": "all"}
    if facts.native_size < SMALL_IMAGE:
        plain = everything | {"learning_rate": 3e-4}
        rows = [
            everything | {"learning_rate": 1e-4},
            last | {"learning_rate": 1e-3},
            everything | {"learning_rate": 1e-3},
        ]
    else:
        plain = last | {"learning_rate": 3e-4}
        rows = [
            plain,
            everything | {"learning_rate": 1e-4},
            everything | {"learning_rate": 3e-4},
        ]
    choices = [({}, {}), *((row, {}) for row in rows), (plain, _NO_GEOMETRY)]
    ways = [_way(default, asked, epochs, *choice) for choice in choices]
    distinct = {(way.finetune, way.augment): way for way in reversed(ways)}
    kept = tuple(way for way in ways if distinct[way.finetune, way.augment] is way)
    head = dataclasses.replace(config.finetune, unfreeze="none", epochs=0)
    return Portfolio(
        Way(head, config.augment), kept, _rungs(epochs, facts.num_train, config.batch_size)
    )


def _way(
    default: Way,
    asked: FitConfig,
    epochs: int,
    finetune: dict[str, Any],
    augment: dict[str, Any],
) -> Way:
    """Returns the default way with some settings changed, except those that the user gave."""
    finetune = {key: x for key, x in finetune.items() if getattr(asked.finetune, key) is None}
    augment = {key: x for key, x in augment.items() if getattr(asked.augment, key) is None}
    changed = dataclasses.replace(default.augment, **augment)
    return Way(
        dataclasses.replace(default.finetune, epochs=epochs, **finetune),
        changed,
        changed != default.augment,
    )


def _rungs(epochs: int, num_train: int, batch_size: int) -> tuple[int, int]:
    """Returns the epochs of a trial in each rung: at least so many that it has enough steps."""
    steps = math.ceil(num_train / batch_size)
    first = max(round(_FIRST_SHARE * epochs), math.ceil(_MIN_STEPS / steps))
    first = min(first, epochs)
    return first, min(2 * first, epochs)
