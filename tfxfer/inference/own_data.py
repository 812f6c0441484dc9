"""The data that a classifier was trained on."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache
from tfxfer.data.opening import open_as_it_is, open_undivided
from tfxfer.data.seen import BoundSource, Seen, bound, carving_of, rebound, without_seen
from tfxfer.data.source import Source
from tfxfer.data.sources.channels import with_channels
from tfxfer.errors import DataError, UsageError
from tfxfer.runs.metrics_record import DataRecord, read_metrics
from tfxfer.runs.places import data_places, is_relative, run_settings
from tfxfer.system.run_layout import FACTS_FILE, RunDirectory

# Files of a split that are looked for where it may have been moved.
_SAMPLE = 64


def open_own_data(
    run: RunDirectory, data_dir: str | None, seen: Callable[[], Seen | None]
) -> BoundSource:
    """Opens the data of a run, in its splits, at their current location.

    Args:
        run: Directory of the run.
        data_dir: Directory of TFDS datasets.
        seen: Returns the images the run has seen; for runs of older versions it reads all files.

    Raises:
        DataError: The data have moved or changed.
    """
    config = run_settings(run, FitConfig)
    told = _told_of_data(run)
    try:
        if not run.splits.is_file():  # a run of an older version
            return bound(open_undivided(dataclasses.replace(config, data_dir=data_dir)), seen())
        source = open_as_it_is(str(run.splits), data_dir, cache=Cache.of(config))
        _check_there(source)
        source = with_channels(source, config.channels)
    except (DataError, UsageError) as error:
        moved = _open_moved_data(run, config, data_dir, seen())
        if moved is None:
            places = " or ".join(f"'{place}'" for place in data_places(run, config))
            raise DataError(
                f"The data of the run '{run.path}' have moved. {error} The run was "
                f"given {places}. Say where its data are now with --data."
            ) from None
        return moved
    source = dataclasses.replace(source, name=told.name or source.name)
    known = seen() if run.seen.is_file() else None
    return without_seen(source, known, len(source.splits["train"]))


def _told_of_data(run: RunDirectory) -> DataRecord:
    """Returns the record of a run's data; empty if it is unfinished or of an older version."""
    told = read_metrics(run).data if run.metrics.is_file() else None
    return told or DataRecord()


def _open_moved_data(
    run: RunDirectory, config: FitConfig, data_dir: str | None, seen: Seen | None
) -> BoundSource | None:
    """Returns the data of a run whose project has moved, None if they are not in the project."""
    if seen is None or not os.path.exists(config.data) or not is_relative(run, "data"):
        return None
    try:
        return rebound(open_undivided(dataclasses.replace(config, data_dir=data_dir)), seen)
    except (DataError, UsageError):
        return None


def _check_there(source: Source) -> None:
    """Raises a DataError where a split has lost all of its files."""
    if source.origin is not None:
        return
    for name, split in source.splits.items():
        sample = np.linspace(0, len(split) - 1, min(len(split), _SAMPLE)).round().astype(int)
        if not any(os.path.exists(split.describe(int(index))) for index in sample):
            raise DataError(f"None of the images of '{name}' exists, such as {split.describe(0)}.")


def seen_by_older_run(run: RunDirectory, config: FitConfig) -> Seen | None:
    """Returns the images that a run without a record has seen, as far as its files still exist."""
    told = _told_of_data(run)
    try:
        source = open_as_it_is(str(run.splits), config.data_dir, cache=Cache.of(config))
        _check_there(source)
        seen = Seen.of(source, source.splits, config)
    except (DataError, UsageError):
        if told.fingerprint is None:
            return None
        seen = Seen(told.name or "", "", carving_of(config))
    return dataclasses.replace(seen, fingerprint=told.fingerprint or seen.fingerprint)


def seen_by_older_export(path: pathlib.Path) -> Seen | None:
    """Returns those of an export without a record: only its own data can be recognized."""
    try:
        told = json.loads((path / "assets" / FACTS_FILE).read_text("utf-8"))["data"]
        return Seen(told["name"], told["fingerprint"], FitConfig())
    except (OSError, ValueError, KeyError, TypeError):
        return None
