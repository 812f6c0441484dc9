"""Which backbones are ranked, and why others are not.

Nothing here imports Keras, so that misspelled names are found at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tfxfer.config.schema import LABEL_SETTINGS
from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import BACKBONES, find_backbone, local_weights

# How many are ranked by default.
DEFAULT_NUMBER = 12

# From 1 to 50 million parameters, and the most accurate of each size on ImageNet; families that
# differ, as each may suit other images. Those that are not available locally are replaced by others
# that are.
WELL_CHOSEN = (
    "mobilenetv3small",
    "mobilenetv2",
    "mobilenetv3large",
    "efficientnetb0",
    "efficientnetv2b0",
    "densenet121",
    "efficientnetv2b3",
    "efficientnetv2s",
    "inceptionv3",
    "resnet50v2",
    "convnexttiny",
    "convnextsmall",
)

# The settings of `fit` that decide which images are used, how large, and where features are cached.
RANKING_SETTINGS = (
    "data",
    "data_dir",
    *LABEL_SETTINGS,
    "ordered",
    "class_order",
    "validation_fraction",
    "test_fraction",
    "train_examples",
    "validation_examples",
    "bad_images",
    "image_size",
    "input_size",
    "fit_images",
    "channels",
    "batch_size",
    "memory_gigabytes",
    "cache_gigabytes",
    "cache_dir",
    "seed",
)


@dataclass(frozen=True)
class Limits:
    """What a ranking may cost, and what a backbone may.

    Attributes:
        max_minutes: Time for the ranking; None is no limit.
        max_parameters: Parameters of a backbone, without the classifier; None is no limit.
        max_milliseconds: Time per image of a backbone on this machine; None is no limit.
    """

    max_minutes: float | None = None
    max_parameters: float | None = None
    max_milliseconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                option = "--" + name.replace("_", "-")
                raise UsageError(f"'{name}' ({option}) is {value!r}; it must be above 0.")


@dataclass(frozen=True)
class Skipped:
    """A backbone that is not ranked.

    Attributes:
        backbone: Its name.
        reason: Why, in a few words.
    """

    backbone: str
    reason: str


@dataclass(frozen=True)
class Candidates:
    """The backbones to rank, and those that were considered and are not.

    Attributes:
        backbones: The backbones to rank, the smallest first.
        skipped: The others.
    """

    backbones: tuple[Backbone, ...]
    skipped: tuple[Skipped, ...]


def choose_candidates(
    names: Sequence[str], limits: Limits, *, all_backbones: bool = False
) -> Candidates:
    """Returns the backbones to rank: those that were named or, without names, a dozen.

    Weights are never downloaded: a backbone without local weights is skipped.

    Args:
        names: Names, as `find_backbone` takes them; empty for the default.
        limits: Limits of the ranking; of these, only the number of parameters is checked here.
        all_backbones: Without names: all that are available locally, instead of a dozen.

    Raises:
        UsageError: A name is unknown, or no backbone is left.
    """
    if names and all_backbones:
        raise UsageError("Name the backbones to rank, or use --all for every one; not both.")
    named = list(dict.fromkeys(find_backbone(name).name for name in names))
    if not named:
        named = list(BACKBONES) if all_backbones else _default()
    chosen, skipped = [], []
    for name in named:
        backbone = find_backbone(name)
        reason = _why_not(backbone, limits)
        if reason is None:
            chosen.append(backbone)
        else:
            skipped.append(Skipped(name, reason))
    if not chosen:
        raise UsageError(f"No backbone to rank: {_listed(skipped)}. {_WHAT_NEXT}")
    if not names and not all_backbones:
        chosen = chosen[:DEFAULT_NUMBER]
    return Candidates(tuple(sorted(chosen, key=lambda one: one.num_parameters)), tuple(skipped))


_WHAT_NEXT = (
    "`tfxfer backbones` shows which weights are available locally, and where others belong; raise "
    "--max-parameters if it is set."
)


def _default() -> list[str]:
    """Returns the well-chosen backbones, then others that are available locally."""
    others = [
        name
        for name, backbone in BACKBONES.items()
        if name not in WELL_CHOSEN and local_weights(backbone) is not None
    ]
    return [*WELL_CHOSEN, *others]


def _why_not(backbone: Backbone, limits: Limits) -> str | None:
    """Returns why a backbone is not ranked; None if it is."""
    most = limits.max_parameters
    if most is not None and backbone.num_parameters > most:
        return f"it has {backbone.num_parameters / 1e6:.1f} million parameters"
    if local_weights(backbone) is None:
        return "weights not available locally"
    return None


def describe_skipped(skipped: Sequence[Skipped]) -> list[str]:
    """Returns a line for each reason, with the backbones it applies to."""
    reasons: dict[str, list[str]] = {}
    for one in skipped:
        reasons.setdefault(one.reason, []).append(one.backbone)
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _listed(skipped: Sequence[Skipped]) -> str:
    return "; ".join(describe_skipped(skipped))
