"""A run's record of its texts: which was in which split, and which it was trained on."""

import pathlib
import zipfile

import numpy as np

from tfxfer.data.contents import distinct, found_in
from tfxfer.system.digests import Ids
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.tables import TableWriter
from tfxfer.text.data.source import TextSource, TextSplit


def record_texts(run: RunDirectory, source: TextSource) -> None:
    """Writes the split of each text, and the digests of those that a run uses to train and choose.

    Args:
        run: The run.
        source: The data, divided.
    """
    with (
        replacing(run.splits) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = TableWriter(file)
        table.writerow(["id", "label", "split"])
        for name, split in source.splits.items():
            for one, label in zip(split.ids, split.labels, strict=True):
                table.writerow([one, source.class_names[label], name])
    used = [split.digests() for name, split in source.splits.items() if name != "test"]
    with replacing(run.seen) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, texts=distinct(np.concatenate(used)))


def read_seen_texts(path: pathlib.Path) -> Ids | None:
    """Returns the digests that `record_texts` wrote; None if there are none."""
    try:
        with np.load(path) as arrays:
            return np.asarray(arrays["texts"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def unseen(split: TextSplit, seen: Ids | None) -> tuple[TextSplit, int]:
    """Returns a split without texts that a model was trained on, and how many these are."""
    if seen is None:
        return split, 0
    known = found_in(split.digests(), seen)
    return split.select(np.flatnonzero(~known)), int(known.sum())
