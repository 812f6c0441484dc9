"""Ordered classes: grades, stages, ages in groups."""

import dataclasses

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.source import Source, listed, places_of
from tfxfer.errors import UsageError, did_you_mean

# With two classes an order says nothing.
_FEWEST = 3


def in_order(source: Source, config: FitConfig) -> Source:
    """Returns data whose classes are in the order that the settings ask for, if they ask for one.

    That is the order of `class_order` or, without, the numeric order of the class names.

    Args:
        source: Data divided into splits.
        config: `ordered` and `class_order` are read.

    Raises:
        UsageError: The classes have no order, or not that one.
    """
    if not config.ordered:
        return source
    if source.has_several_labels:
        raise UsageError(
            f"Setting 'ordered' (--ordered) is for one class per image, but '{source.name}' has "
            f"{source.kind_of_labels}. Leave it out."
        )
    if len(source.class_names) < _FEWEST:
        raise UsageError(
            f"Setting 'ordered' (--ordered) needs at least {_FEWEST} classes, but '{source.name}' "
            f"has {len(source.class_names)}. Leave it out."
        )
    names = _ordered(source, config)
    places = np.array([names.index(name) for name in source.class_names], np.int64)
    splits = {
        name: dataclasses.replace(split, labels=places[split.labels])
        for name, split in source.splits.items()
    }
    return dataclasses.replace(
        source, class_names=names, splits=splits, given_names=source.class_names
    )


def _ordered(source: Source, config: FitConfig) -> tuple[str, ...]:
    """Returns the class names in their order."""
    names, asked = source.class_names, config.names_in_order
    if not asked:
        try:
            return tuple(sorted(names, key=float))
        except ValueError:
            raise UsageError(
                f"Setting 'ordered' (--ordered) is on, but the classes of '{source.name}' are not "
                f"all numbers: {listed(names)}. Say their order, lowest first, with --class-order."
            ) from None
    places = places_of(asked, names)
    for name, place in zip(asked, places, strict=True):
        if place is None:
            raise UsageError(
                f"Setting 'class_order' names '{name}', which is not a class of '{source.name}': "
                f"{listed(names)}.{did_you_mean(name, names)}"
            )
    missing = [name for place, name in enumerate(names) if place not in places]
    if missing:
        raise UsageError(
            f"Setting 'class_order' lacks classes of '{source.name}': {listed(missing)}. Name each "
            "of them once, lowest first."
        )
    return tuple(names[place] for place in places if place is not None)
