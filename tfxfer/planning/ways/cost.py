"""How long a way takes, relative to others."""

from tfxfer.planning.ways.way import Way

# Time of a step of MobileNetV2 at 224 pixels, in that of one that trains the last resolution alone:
# training all takes about three times as long (measured), and more than twice as long again where
# BatchNorm adapts (28 and 11 images/s on two cores).
_ALL, _BETWEEN, _ADAPTING = 3.0, 2.0, 2.5

# Where each view of an image is seen in two epochs or more; see `finetune.echo`.
_ECHOING = 0.7


def step_cost(way: Way, last: str) -> float:
    """Returns the time of a step in that of one that trains the last resolution.

    Args:
        way: The way.
        last: The first stage of that; what the default trains, where it does not train all.

    Examples:
        A way that trains all of the backbone in place of the last resolution:

        >>> import dataclasses
        >>> from tfxfer.config.schema import FitConfig
        >>> from tfxfer.planning.defaults import decide
        >>> from tfxfer.planning.rules.facts import Facts
        >>> facts = Facts(500, 200, 5, 1280, 300, True, 224, 32, "block_13", "imagenet")
        >>> config = decide(FitConfig(), facts)
        >>> way = Way(dataclasses.replace(config.finetune, unfreeze="all"), config.augment)
        >>> step_cost(way, "block_13")
        3.0
    """
    depth = {"all": _ALL, last: 1.0}.get(way.finetune.unfreeze, _BETWEEN)
    if way.finetune.num_views and way.augment.makes_views:
        depth *= _ECHOING
    return depth * (_ADAPTING if way.finetune.batch_norm == "adapt" else 1.0)
