"""A run's record of its data: which example was in which split, and which were left out."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from tfxfer.config.schema import LABEL_SEPARATOR, RunConfig
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import Unreadable
from tfxfer.data.labels.targets import names_of
from tfxfer.data.seen import Seen
from tfxfer.data.source import Source
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.tables import TableWriter


def record_data(
    run: RunDirectory,
    source: Source,
    images: Mapping[str, Images],
    skipped: Sequence[Unreadable],
) -> None:
    """Writes what examples a run uses, and those it does not because they cannot be read.

    Args:
        run: Where its directory is; `splits.csv` there is a manifest that `--data` takes, and
            `skipped.csv` is there only if something was left out.
        source: The data, opened.
        images: What is used of it, by the names of the splits.
        skipped: What is not.
    """
    write_manifest(run.splits, source, {name: one.split for name, one in images.items()})
    if not skipped:
        return
    with (
        replacing(run.skipped) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = TableWriter(file)
        table.writerow(["path", "label", "split", "reason"])
        for one in skipped:
            path = one.example if source.origin else os.path.abspath(one.example)
            names = names_of(one.label, source.class_names)
            table.writerow([path, LABEL_SEPARATOR.join(names), one.split, one.reason])


def record_seen(
    run: RunDirectory,
    source: Source,
    images: Mapping[str, Images],
    config: RunConfig,
    *,
    is_joined: bool = False,
) -> None:
    """Writes which images a run uses, by content, and the settings that divided them.

    Args:
        run: Where its directory is.
        source: The data, opened.
        images: What is used of it, by the names of the splits.
        config: The settings of the run.
        is_joined: See `Seen`.
    """
    splits = {name: one.split for name, one in images.items()}
    seen = dataclasses.replace(Seen.of(source, splits, config), is_joined=is_joined)
    seen.write(run.seen)


def describe_skipped(run: RunDirectory, skipped: Sequence[Unreadable]) -> list[str]:
    """Returns a note on the skipped images, if any."""
    if not skipped:
        return []
    what = "1 unreadable image" if len(skipped) == 1 else f"{len(skipped):,} unreadable images"
    return [f"left out {what}: {run.skipped}"]
