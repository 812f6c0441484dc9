"""Screens the images of a run: all are decoded once, and unreadable ones are left out."""

from collections.abc import Mapping

from tfxfer.config.decided import DecidedRun
from tfxfer.data.cache import Cache
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Places
from tfxfer.data.image.readability import (
    REPLACE,
    Unreadable,
    reasons_unreadable,
    unreadable_message,
)
from tfxfer.data.labels.targets import occurring
from tfxfer.data.source import Split
from tfxfer.errors import DataError


def open_images(
    splits: Mapping[str, Split], config: DecidedRun
) -> tuple[dict[str, Images], list[Unreadable]]:
    """Returns the images of each split, at the size and with the caches of a run.

    All are read and decoded once, so unreadable ones are found before training starts. The same
    pass fills the cache in memory.

    Returns:
        The images by the names of the splits, and what was left out of them.

    Raises:
        DataError: Images cannot be read and `bad_images` is "error"; or a split, or a class in
            train, has no others.
    """
    cache = Cache.of(config)
    images = {
        name: Images(split, config.frame, config.memory_bytes, cache, by_content=True)
        for name, split in splits.items()
    }
    bad = {name: one.unreadable() for name, one in images.items()}
    if config.bad_images == "error" and any(len(places) for places in bad.values()):
        raise DataError(
            unreadable_message(splits, bad, f"{REPLACE}, or skip them with --bad-images skip")
        )
    skipped: list[Unreadable] = []
    for name, places in bad.items():
        if len(places):
            skipped += _unreadable(name, splits[name], places)
            images[name] = _rest(name, images[name], places)
    return images, skipped


def _unreadable(name: str, split: Split, places: Places) -> list[Unreadable]:
    """Returns the records of the unreadable examples of a split."""
    return [
        Unreadable(name, split.describe(int(place)), split.labels[place], reason)
        for place, reason in zip(places, reasons_unreadable(split, places), strict=True)
    ]


def _rest(name: str, images: Images, places: Places) -> Images:
    """Returns the images of a split but for those at some places.

    Raises:
        DataError: There are none left, or none of a class to learn.
    """
    split, left = images.split, images.without(places)
    if not len(left) or (name == "train" and occurring(left.labels) != occurring(split.labels)):
        which = "a class" if len(left) else "any class"
        message = unreadable_message({name: split}, {name: places}, REPLACE)
        raise DataError(f"In '{name}' no image of {which} can be read. {message}")
    return left
