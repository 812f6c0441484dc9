"""Corrected texts of a run, in manifests that `fit` takes."""

import pathlib
import shlex
import threading
from collections.abc import Iterable

import numpy as np

from tfxfer.data.contents import found_in
from tfxfer.system.digests import ids_of
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.tables import write_table
from tfxfer.text.data.encoding import UTF_8
from tfxfer.text.data.manifests import read_manifest
from tfxfer.text.data.source import TextSource, said


class TextCorrections:
    """The corrections of a run.

    `corrections.csv` lists the corrected texts. `with_corrections.csv` lists them together with the
    data of the run: a fit on it trains on both.

    Args:
        run: The run.
        source: Its data in its splits; None if they are not available.
    """

    def __init__(self, run: RunDirectory, source: TextSource | None) -> None:
        self._run = run
        self._source = source
        self._lock = threading.Lock()

    @property
    def path(self) -> pathlib.Path:
        """The manifest of the corrected texts."""
        return self._run.corrections

    def labels(self) -> dict[str, str]:
        """Returns the label of each corrected text.

        Raises:
            UsageError, DataError: Somebody edited `corrections.csv`, and it is no manifest.
        """
        if not self.path.is_file():
            return {}
        found = read_manifest(self.path, UTF_8)
        split = found.splits["train"]
        names = [found.class_names[label] for label in split.labels]
        return dict(zip(split.texts, names, strict=True))

    @isolated
    def keep(self, text: str, label: str) -> str:
        """Keeps a text with its label; the last label of a text counts.

        Texts that say the same, but for case, white space and punctuation, are one.

        Args:
            text: The text.
            label: A class name of the model.

        Returns:
            A sentence on what happens to the text in training, or the empty string.

        Raises:
            RunError: A file cannot be written.
            UsageError, DataError: As of `labels`.
        """
        with self._lock:
            before = self.labels() if self.path.is_file() else {}
            others = {one: name for one, name in before.items() if said(one) != said(text)}
            labels = {**others, text: label}
            write_table(self.path, ["text", "label"], labels.items())
            self._join(labels)
        return self._remark(text)

    def command(self) -> str:
        """Returns the command that trains with the corrections; empty if there is none."""
        if self._source is None or not self._run.with_corrections.is_file():
            return ""
        name = f"{self._run.path.resolve().name}-corrected-{len(self.labels())}"
        words = ["tfxfer", "fit", "--config", str(self._run.asked)]
        words += ["--data", str(self._run.with_corrections), "--run", name]
        return shlex.join(words)

    def _join(self, labels: dict[str, str]) -> None:
        """Writes the manifest of the run's data together with the corrected texts.

        A corrected training text loses its old label. What is in another split stays there, as it
        is: it is never trained on.
        """
        if self._source is None:
            return
        corrected = _digests(labels)
        rows: list[tuple[str, str, str]] = []
        held_out = np.zeros(len(labels), np.bool_)
        for name, split in self._source.splits.items():
            kept = np.ones(len(split), np.bool_)
            if name == "train":
                kept = ~found_in(split.digests(), corrected)
            else:
                held_out |= found_in(corrected, split.digests())
            rows += [
                (split.texts[place], self._source.class_names[split.labels[place]], name)
                for place in np.flatnonzero(kept).tolist()
            ]
        rows += [
            (text, label, "train")
            for (text, label), is_held_out in zip(labels.items(), held_out, strict=True)
            if not is_held_out
        ]
        write_table(self._run.with_corrections, ["text", "label", "split"], rows)

    def _remark(self, text: str) -> str:
        """Returns what happens to a text in training that is held out in the run's data."""
        splits = {} if self._source is None else self._source.splits
        for name in ("test", "validation"):
            if name in splits and found_in(_digests([text]), splits[name].digests()).any():
                return (
                    f"It is also in the {name} split, so a fit leaves it out of training; correct "
                    "its label there if that is wrong."
                )
        return ""


def _digests(texts: Iterable[str]) -> np.ndarray:
    """Returns the digests of texts, as of `TextSplit`."""
    return ids_of((said(text).encode("utf-8", "surrogatepass"),) for text in texts)
