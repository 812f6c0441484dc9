"""Corrected images of a run: kept by content, and listed in manifests that `fit` takes."""

import dataclasses
import hashlib
import os

import numpy as np
import tensorflow as tf

from tfxfer.data.contents import found_in
from tfxfer.data.image.formats.recognition import decoded_format
from tfxfer.data.image.formats.table import READ
from tfxfer.data.seen import BoundSource, Seen
from tfxfer.data.source import Split
from tfxfer.data.sources.files import split_of_files
from tfxfer.data.sources.manifests.rows import read_rows
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.errors import RunError
from tfxfer.showing.corrections import CorrectionsOfRun, remark
from tfxfer.system.digests import ids_of
from tfxfer.system.files import replacing
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.tables import TableWriter, needs_quotes

_EXTENSIONS = {one.name: one.extensions[0] for one in READ}

_NAME_DIGITS = 32  # hexadecimal: 128 bits of SHA-256


class Corrections(CorrectionsOfRun[BoundSource, bytes]):
    """The corrections of a run.

    `corrections.csv` lists the corrected images. `with_corrections.csv` lists them together with
    the data of the run, if these are files: a fit on it trains on both.

    Args:
        run: The run.
        source: Its data; None if they are not available.
        seen: Which images the model has seen; None if that is not known.
    """

    def __init__(self, run: RunDirectory, source: BoundSource | None, seen: Seen | None) -> None:
        is_joinable = source is not None and source.origin is None and "train" in source.splits
        super().__init__(run, source if is_joinable else None)
        self._seen = seen

    def labels(self) -> dict[str, str]:
        """Returns the label of each corrected image by its path relative to the run.

        Raises:
            UsageError: Somebody edited `corrections.csv`, and it is no manifest.
        """
        if not self._run.corrections.is_file():
            return {}
        rows, _ = read_rows(self._run.corrections)
        return {row.path: row.label for row in rows}

    @isolated
    def keep(self, given: bytes, label: str) -> str:
        """Keeps an image with its label; the last label of an image counts.

        Args:
            given: Content of the file, as it was uploaded. It was decoded before.
            label: A class name of the model.

        Returns:
            A sentence on what happens to the image in training, or the empty string.

        Raises:
            RunError: A file cannot be written.
            UsageError: As of `labels`.
        """
        kind = decoded_format(tf.constant(given, tf.string)).numpy().decode()
        name = hashlib.sha256(given).hexdigest()[:_NAME_DIGITS] + _EXTENSIONS[kind]
        path = self._run.corrected / name
        with self._lock:
            try:
                path.parent.mkdir(exist_ok=True)
            except OSError as error:
                raise RunError(f"Cannot create '{path.parent}': {error.strerror}.") from None
            if not path.is_file():
                with replacing(path) as temporary:
                    temporary.write_bytes(given)
            labels = self.labels() | {f"{path.parent.name}/{name}": label}
            self._write(labels)
            self._join(labels)
        return self._remark(given)

    def _write(self, labels: dict[str, str]) -> None:
        """Writes the manifest of the corrected images."""
        with (
            replacing(self._run.corrections) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            table = TableWriter(file, quote_all=needs_quotes(labels.values()))
            table.writerow(["path", "label"])
            for row in labels.items():
                table.writerow(row)

    def _join(self, labels: dict[str, str]) -> None:
        """Writes the manifest of the run's data together with the corrected images."""
        if self._source is None:
            return
        train, names = self._source.splits["train"], self._source.class_names
        paths = [os.path.abspath(self._run.path / path) for path in labels]
        corrected = split_of_files(
            paths, np.array([names.index(label) for label in labels.values()], np.int64)
        )
        joined = _joined(self._without(train, corrected), corrected)
        write_manifest(
            self._run.with_corrections, self._source, {**self._source.splits, "train": joined}
        )

    def _without(self, train: Split, corrected: Split) -> Split:
        """Returns the training images without those whose label was corrected."""
        known = self._seen.digests.get("train") if self._seen else None
        mine = corrected.digests()
        if known is not None and not found_in(mine[:, : known.shape[1]], known).any():
            return train  # without reading all of them
        return train.select(np.flatnonzero(~found_in(train.digests(), mine)))

    def _remark(self, content: bytes) -> str:
        """Returns what happens to an image in training that is in the run's data."""
        digests = self._seen.digests if self._seen else {}
        mine = ids_of([(content,)])

        def is_in(split: str) -> bool:
            known = digests.get(split)
            return known is not None and bool(found_in(mine[:, : known.shape[1]], known).any())

        return remark(is_in)


def _joined(train: Split, corrected: Split) -> Split:
    """Returns the training images with the corrected images after them."""
    paths = [split.describe(index) for split in (train, corrected) for index in range(len(split))]
    joined = split_of_files(paths, np.concatenate([train.labels, corrected.labels]))
    weights, groups = train.weights, train.groups
    if weights is not None:
        weights = np.concatenate([weights, np.ones(len(corrected), np.float32)])
    if groups is not None:
        groups = [*groups, *[""] * len(corrected)]
    return dataclasses.replace(joined, weights=weights, groups=groups)
