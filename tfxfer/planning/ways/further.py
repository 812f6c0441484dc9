"""The further ways of a thorough search, the most promising first.

Pure functions, as the rules of `defaults`. "Measured" means `benchmarks/README.md`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfxfer.config.decided import DecidedAugment
from tfxfer.config.schema import FitConfig
from tfxfer.planning.rules.facts import Facts
from tfxfer.planning.ways.way import LONGER, Way

# From here on, images are mixed: MixUp and CutMix are made for long training on many images.
_MANY_TO_MIX = 2_000

# MixUp at 0.2 is that of ImageNet (Zhang et al. 2018, arXiv:1710.09412, section 3.1), CutMix at 1
# that of Yun et al. (2019, arXiv:1905.04899, section 3.1).
_MIXED = {"mixup": 0.2, "cutmix": 1.0}

# SGD with momentum 0.9, as in most work on transfer (BiT: Kolesnikov et al. 2020,
# arXiv:1912.11370, section 3.3, at 0.003). The learning rate of 0.01 has not been measured here.
_SGD = {"optimizer": "sgd", "learning_rate": 1e-2}

_DECAYED = {"learning_rate": 3e-4, "layer_decay": 0.9}

# In the order of the grid in `benchmarks/README.md` as far as they are in it: training all at 1e-4
# is the best single way of six datasets. Longer schedules are dear, and those of SGD and of
# BatchNorm that adapts were not measured. "last" and "half" stand for stages.
_CHANGES: tuple[dict[str, Any], ...] = (
    {"unfreeze": "all", "learning_rate": 1e-4},
    {"unfreeze": "all", **_DECAYED},
    {"unfreeze": "half", **_DECAYED},
    {"unfreeze": "last", "learning_rate": 1e-4},
    {"unfreeze": "last", "learning_rate": 3e-4},
    {"unfreeze": "last", "learning_rate": 1e-3},
    {"unfreeze": "all", **_DECAYED, "is_longer": True},
    {"unfreeze": "all", "learning_rate": 1e-3, "layer_decay": 0.9},
    {"unfreeze": "last", "learning_rate": 3e-4, "is_longer": True},
    {"unfreeze": "all", **_SGD, "layer_decay": 0.9},
    {"unfreeze": "last", **_SGD},
    {"unfreeze": "all", **_DECAYED, "batch_norm": "adapt"},
)
_MIXING = {"unfreeze": "all", "learning_rate": 1e-4, "is_longer": True, "is_mixed": True}


def further_ways(
    ways: Sequence[Way], known: Sequence[Way], asked: FitConfig, facts: Facts
) -> tuple[tuple[Way, ...], ...]:
    """Returns the further ways of a thorough search, each once for each augmentation.

    A setting that the user gave is the same in all of them.

    Args:
        ways: The default, and the same way without shift and zoom, if that is another.
        known: All other ways of the portfolio.
        asked: The settings that the user gave.
        facts: The facts that the rules use.
    """
    changes = [*_CHANGES]
    if facts.num_train >= _MANY_TO_MIX:
        changes.insert(1, _MIXING)
    seen = [_settings_of(way) for way in (*ways, *known)]
    found = []
    for change in changes:
        made = [_made(way, dict(change), ways[0], asked, facts) for way in ways]
        new = [way for way in made if way and _settings_of(way) not in seen]
        seen += [_settings_of(way) for way in new]
        found += [tuple(new)] if new else []
    return tuple(found)


def _settings_of(way: Way) -> tuple[object, DecidedAugment]:
    return way.finetune, way.augment


def _made(
    way: Way, change: dict[str, Any], default: Way, asked: FitConfig, facts: Facts
) -> Way | None:
    """Returns a way with some changes; None if that makes no sense here."""
    is_longer, is_mixed = (change.pop(name, False) for name in ("is_longer", "is_mixed"))
    given = asked.finetune.optimizer is not None or asked.finetune.learning_rate is not None
    if "optimizer" in change and given:
        return None  # a learning rate is that of an optimizer
    if "batch_norm" in change and not facts.batch_norm:
        return None
    stages = {"last": facts.last_resolution, "half": _halfway(facts), "all": "all"}
    change["unfreeze"] = stages[change["unfreeze"]]
    if not change["unfreeze"]:
        return None
    if is_longer:
        change["epochs"] = LONGER * way.finetune.epochs
    made = way.changed(change, asked)
    if is_mixed:
        made = made.mixing(_MIXED, asked)
    return dataclasses.replace(made, labels=_labels(made, default))


def _halfway(facts: Facts) -> str:
    """Returns the stage halfway to the last resolution; empty if there is none between."""
    if facts.last_resolution not in facts.stages:
        return ""
    half = facts.stages.index(facts.last_resolution) // 2
    return facts.stages[half] if half else ""


def _labels(way: Way, default: Way) -> tuple[str, ...]:
    """Returns what tells a way from the default besides depth, learning rate and warps."""
    ours, theirs = way.finetune, default.finetune
    labels = ["SGD"] if ours.optimizer != theirs.optimizer == "adamw" else []
    labels += ["BatchNorm adapts"] if ours.batch_norm != theirs.batch_norm else []
    labels += ["MixUp and CutMix"] if way.augment.mixup != default.augment.mixup else []
    return tuple([*labels, f"{ours.epochs} epochs"] if ours.epochs != theirs.epochs else labels)
