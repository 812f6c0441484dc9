"""Corrected texts of a run, in manifests that `fit` takes."""

from collections.abc import Iterable

import numpy as np

from tfxfer.data.contents import found_in
from tfxfer.showing.corrections import CorrectionsOfRun, remark
from tfxfer.system.digests import ids_of
from tfxfer.system.isolation import isolated
from tfxfer.system.tables import write_table
from tfxfer.text.data.encoding import UTF_8
from tfxfer.text.data.manifests import read_manifest
from tfxfer.text.data.source import TextSource, said


class TextCorrections(CorrectionsOfRun[TextSource, str]):
    """The corrections of a run.

    `corrections.csv` lists the corrected texts. `with_corrections.csv` lists them together with the
    data of the run: a fit on it trains on both.

    Args:
        run: The run.
        source: Its data in its splits; None if they are not available.
    """

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
    def keep(self, given: str, label: str) -> str:
        """Keeps a text with its label; the last label of a text counts.

        Texts that say the same, but for case, white space and punctuation, are one.

        Args:
            given: The text.
            label: A class name of the model.

        Returns:
            A sentence on what happens to the text in training, or the empty string.

        Raises:
            RunError: A file cannot be written.
            UsageError, DataError: As of `labels`.
        """
        with self._lock:
            before = self.labels() if self.path.is_file() else {}
            others = {one: name for one, name in before.items() if said(one) != said(given)}
            labels = {**others, given: label}
            write_table(self.path, ["text", "label"], labels.items())
            self._join(labels)
        return self._remark(given)

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
        splits, mine = {} if self._source is None else self._source.splits, _digests([text])

        def is_in(name: str) -> bool:
            return name in splits and bool(found_in(mine, splits[name].digests()).any())

        return remark(is_in)


def _digests(texts: Iterable[str]) -> np.ndarray:
    """Returns the digests of texts, as of `TextSplit`."""
    return ids_of((said(text).encode("utf-8", "surrogatepass"),) for text in texts)
