"""Records of the images a model has seen, so that it is not tested on its training images.

The record is next to the model and is bundled with its exports: the digests of the images in each
split, and the settings that divided them. Other data are divided in the same way, without these.
"""

import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import RunConfig
from tfxfer.data.contents import NearCopyGroups, distinct, found_in
from tfxfer.data.labels.targets import Labels
from tfxfer.data.opening import as_it_comes, divided
from tfxfer.data.source import Source, Split
from tfxfer.data.split_names import SPLITS
from tfxfer.data.splitting import JOINED, with_validation_joined
from tfxfer.data.weighting import without_weightless
from tfxfer.errors import DataError, UsageError
from tfxfer.system.digests import Ids
from tfxfer.system.files import replacing

# Settings that decide which image is in which split.
_CARVING = ("seed", "validation_fraction", "test_fraction")

_LIMITS = ("train_examples", "validation_examples", "test_examples")

# Bytes kept of each digest in an export: one of a million new images collides with one of a million
# others with a probability of 5e-8.
EXPORTED_BYTES = 8

# Why an image that the model has seen in one split is left out of another.
_SPOILT = {
    "validation": {"train": "the model was trained on"},
    "test": {
        "train": "the model was trained on",
        "validation": "chose the model's best epoch",
    },
}


@dataclass(frozen=True)
class Seen:
    """The images of a model's splits, and the settings that divided them.

    Attributes:
        data: Its name.
        fingerprint: Of the data in the model's splits; see `Source.fingerprint`.
        carving: The settings that decide which image is in which split.
        digests: By split, (num_images, 8 or 16); empty if they were not recorded.
        near_copies: What stays in one split; None if near copies were not grouped.
        is_joined: Whether the model was trained on validation, too, but for what was set aside.
    """

    data: str
    fingerprint: str
    carving: RunConfig
    digests: Mapping[str, Ids] = field(default_factory=dict, repr=False)
    near_copies: NearCopyGroups | None = field(default=None, repr=False)
    is_joined: bool = False

    @classmethod
    def of(cls, source: Source, splits: Mapping[str, Split], config: RunConfig) -> "Seen":
        """Returns the record of a run.

        Args:
            source: Its data.
            splits: What is used of them.
            config: Its settings.
        """
        digests = {name: distinct(split.digests()) for name, split in splits.items()}
        fingerprint, carving = source.fingerprint(), carving_of(config)
        return cls(source.name, fingerprint, carving, digests, source.near_copies)

    def write(self, path: pathlib.Path, num_bytes: int | None = None) -> None:
        """Writes the record.

        Args:
            path: A .npz file.
            num_bytes: As many of each digest; None is all.
        """
        settings = {key: self.carving.get(key) for key in (*_CARVING, *_LIMITS)}
        about: dict[str, Any] = {"data": self.data, "fingerprint": self.fingerprint}
        about |= {"settings": settings, "is_joined": self.is_joined}
        digests = {name: rows[:, :num_bytes] for name, rows in self.digests.items()}
        near = {} if self.near_copies is None else self.near_copies.arrays(num_bytes)
        with replacing(path) as temporary:
            np.savez(temporary, about=np.array(json.dumps(about)), **digests, **near)  # type: ignore[arg-type]


def carving_of(config: RunConfig) -> RunConfig:
    """Returns the settings that decide which image is in which split, and no others."""
    return RunConfig(**{key: config.get(key) for key in (*_CARVING, *_LIMITS)})


def read_seen(path: pathlib.Path) -> Seen | None:
    """Returns the record that `Seen.write` wrote; None if it is missing or corrupt."""
    try:
        with path.open("rb") as file, np.load(file) as content:
            about = json.loads(str(content["about"]))
            digests = {name: content[name] for name in SPLITS if name in content}
            near = NearCopyGroups.of_arrays(content)
        carving, is_joined = RunConfig(**about["settings"]), about.get("is_joined", False)
        return Seen(about["data"], about["fingerprint"], carving, digests, near, is_joined)
    except (OSError, ValueError, KeyError, TypeError, EOFError, UsageError, zipfile.BadZipFile):
        return None


@dataclass(frozen=True, eq=False)
class BoundSource(Source):
    """Data to evaluate a model on: validation and test have no images it was trained on.

    Attributes:
        everything: All images, by the splits they are in.
        num_trained_on: How many of all images the model was trained on; None if it has no record of
            them.
        absent: Why a split is missing, by split.
    """

    everything: Mapping[str, Split] = field(default_factory=dict)
    num_trained_on: int | None = None
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> list[Labels]:
        """The labels of all images."""
        return [split.labels for split in self.everything.values()]

    @property
    def evaluation_split(self) -> str:
        """The split to evaluate on: test, else validation, else "all"."""
        return next((name for name in ("test", "validation") if name in self.splits), "all")

    def part(self, split: str) -> Mapping[str, Split]:
        """Returns the images of a split or of "all", by the splits they are in.

        Raises:
            UsageError: There is no such split.
        """
        if split == "all":
            return self.everything
        if split not in self.splits:
            there = f"; it has {', '.join(self.splits)}" if self.splits else ""
            why = self.absent.get(split, "")
            raise UsageError(f"'{self.name}' has no split '{split}'{there}.{why and f' {why}'}")
        return {split: self.splits[split]}

    def notes_on(self, split: str) -> tuple[str, ...]:
        """Returns the notes that qualify a score on a split, or on "all"."""
        if split != "all" or self.num_trained_on == 0:
            return self.notes
        told = "it is not known whether the model was trained on some of these images"
        if self.num_trained_on is not None:
            total = sum(len(one) for one in self.everything.values())
            told = f"the model was trained on {self.num_trained_on:,} of these {total:,} images"
        return (*self.notes, f"{told}: it may do worse on new images")


def bound(source: Source, seen: Seen | None) -> BoundSource:
    """Returns data to evaluate a model on.

    Missing splits are split off as in the model's run: the same images are in the same splits. Of
    other data, what the model was trained on is left out of validation and test, and what chose its
    epoch is left out of test. If it is not known what a model has seen, data keep the splits that
    they come with, since any other could hold training images.

    Args:
        source: Data as they come.
        seen: What the model has seen; None where that is not known.

    Raises:
        UsageError, DataError: The data cannot be divided.
    """
    same = None if seen is None else rebound(source, seen)
    if same is not None:
        return same
    if seen is None or not seen.digests:
        return _of_unknown_model(source)
    if "train" not in source.splits:  # nothing to split off, and no need
        return without_seen(as_it_comes(source), seen)
    limitless = seen.carving.with_settings(dict.fromkeys(_LIMITS))
    try:
        return without_seen(divided(source, limitless), seen)
    except UsageError:  # too few images to split, but enough to evaluate
        return without_seen(as_it_comes(source), seen)


def rebound(source: Source, seen: Seen) -> BoundSource | None:
    """Returns the model's own data in its own splits, None if these are other data.

    The data are recognized by content, whatever their location and name.

    Args:
        source: Data as they come.
        seen: What the model has seen.
    """
    if "train" not in source.splits:
        return None
    try:
        grouped = dataclasses.replace(source, near_copies=seen.near_copies)
        again = without_weightless(divided(grouped, seen.carving))
    except (UsageError, DataError):  # the model's own could be divided
        return None
    if again.fingerprint() != seen.fingerprint:
        return None
    splits, absent = dict(again.splits), {"validation": JOINED} if seen.is_joined else {}
    if seen.is_joined and "validation" in splits:
        splits = with_validation_joined(splits, seen.digests.get("validation"))
    notes = [*source.notes, "these are the data the model was trained on: using its splits"]
    for name in splits if seen.digests else ():
        used = _among(splits[name].digests(), seen.digests.get(name))
        if not used.all():  # images that could not be read
            notes.append(f"left out of '{name}', as in the run: {_images(~used)}")
            splits[name] = splits[name].select(np.flatnonzero(used))
    return _made(again, splits, splits, notes, len(splits["train"]), absent)


def without_seen(source: Source, seen: Seen | None, trained_on: int | None = None) -> BoundSource:
    """Returns divided data without what a model has seen in validation and test.

    Args:
        source: The data; their splits are disjoint.
        seen: What the model has seen; None leaves all as it is.
        trained_on: How many of the images it was trained on, if known.
    """
    splits, notes = dict(source.splits), list(source.notes)
    absent = {"validation": JOINED} if seen is not None and seen.is_joined else {}
    digests = {} if seen is None else seen.digests
    for name, split in source.splits.items():
        left = split
        for other, what in _SPOILT.get(name, {}).items():
            spoilt = _among(left.digests(), digests.get(other))
            if spoilt.any():
                notes.append(f"left out of '{name}': {_images(spoilt)} that {what}")
                left = left.select(np.flatnonzero(~spoilt))
        splits[name] = left
        if not len(left):
            del splits[name]
            absent[name] = (
                f"The model has seen all {len(split):,} images of it in training. Use data with "
                "new images, or evaluate all images (--split all)."
            )
    if trained_on is None and digests:
        trained_on = sum(
            int(_among(split.digests(), digests.get("train")).sum())
            for split in source.splits.values()
        )
    return _made(source, splits, source.splits, notes, trained_on, absent)


def _of_unknown_model(source: Source) -> BoundSource:
    """Returns data, in the splits they come with, for a model of unknown training images."""
    given = as_it_comes(source)
    unknown = "the model has no record of its training images"
    if set(given.splits) != {"train"}:
        note = f"{unknown}: it cannot be checked whether some of these are among them"
        return _made(given, given.splits, given.splits, [*given.notes, note], None)
    why = (
        f"{unknown.capitalize()}: a split held out from these data could contain some of them. "
        "Evaluate all images (--split all), use the run that made the model, or use data that have "
        "a 'test' split."
    )
    note = f"the data have no splits, and {unknown}"
    return _made(given, {}, given.splits, [*given.notes, note], None, dict.fromkeys(SPLITS, why))


def _made(
    source: Source,
    splits: Mapping[str, Split],
    everything: Mapping[str, Split],
    notes: list[str],
    trained_on: int | None,
    absent: Mapping[str, str] | None = None,
) -> BoundSource:
    fields = {one.name: getattr(source, one.name) for one in dataclasses.fields(Source)}
    return BoundSource(
        **fields | {"splits": splits, "notes": tuple(notes)},
        everything=everything,
        num_trained_on=trained_on,
        absent=absent or {},
    )


def _among(digests: Ids, known: Ids | None) -> npt.NDArray[np.bool_]:
    """Tells of each image whether it is among those that are known."""
    if known is None or not len(known):
        return np.zeros(len(digests), np.bool_)
    return found_in(digests[:, : known.shape[1]], known)


def _images(chosen: npt.NDArray[np.bool_]) -> str:
    """Returns how many images are chosen."""
    return f"{(number := int(chosen.sum())):,} {'image' if number == 1 else 'images'}"
