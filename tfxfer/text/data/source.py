"""Labeled texts in memory."""

import dataclasses
import functools
import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tfxfer.data.source import canonical
from tfxfer.errors import UsageError
from tfxfer.system.digests import Ids, ids_of

# How HTML breaks a line; reviews from the web are full of it.
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)

_NO_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, eq=False)
class TextSplit:
    """Labeled texts in an order that is the same each time the data are opened.

    Attributes:
        texts: The texts.
        labels: Class indices, (num_examples,).
        ids: The id of each text for messages: a path, or "reviews.csv line 7".
        groups: The group of each text, "" for one that has none: what is to stay in one split
            beside texts that say the same. None where none has.
    """

    texts: Sequence[str]
    labels: npt.NDArray[np.int64]
    ids: Sequence[str]
    groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def digests(self) -> Callable[[], Ids]:
        """Returns a digest of what each text says, the same for texts that say the same.

        Shape (num_examples, 16). Case, white space, punctuation and line breaks of HTML do not
        count.
        """
        return lambda: self._digests

    @functools.cached_property
    def _digests(self) -> Ids:
        return ids_of((said(text).encode("utf-8", "surrogatepass"),) for text in self.texts)

    def select(self, indices: npt.NDArray[np.int64], /) -> Self:
        """Returns the split that has only some of the texts."""
        return dataclasses.replace(
            self,
            texts=[self.texts[index] for index in indices],
            labels=self.labels[indices],
            ids=[self.ids[index] for index in indices],
            groups=self.groups and [self.groups[index] for index in indices],
        )

    def grouped(self, groups: Sequence[str] | None, /) -> Self:
        """Returns the split with other groups."""
        return dataclasses.replace(self, groups=groups)


@dataclass(frozen=True, eq=False)
class TextSource:
    """Labeled texts in splits, with their class names.

    Attributes:
        name: Of the dataset or folder; safe as a file name.
        class_names: The label is the index.
        splits: "train", and where there are such data "validation" and "test".
        notes: For the user: what was left out, which splits were held out.

    Raises:
        UsageError: Two classes have one name, or a name is only white space.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, TextSplit]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        spelled: dict[str, str] = {}
        for name in self.class_names:
            if not name.strip() or "\0" in name or name != name.encode(errors="replace").decode():
                raise UsageError(
                    f"The class name {name!r} is empty, has a NUL, or is not UTF-8. Rename it."
                )
            if canonical(name) in spelled:
                raise UsageError(
                    f"Two classes of '{self.name}' have the name '{name}'. Rename one of them, or "
                    "merge them."
                )
            spelled[canonical(name)] = name

    def fingerprint(self) -> str:
        """Returns a digest of all texts with their labels and splits, and of the class names.

        It does not depend on the location or order of the data.
        """
        digest = hashlib.sha256("\n".join(map(canonical, self.class_names)).encode())
        for name, split in self.splits.items():
            digest.update(f"\n{name} {len(split)}\n".encode())
            rows = [
                hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
                + int(label).to_bytes(4, "big")
                for text, label in zip(split.texts, split.labels, strict=True)
            ]
            digest.update(b"".join(sorted(rows)))
        return digest.hexdigest()


def said(text: str) -> str:
    """Returns what a text says, without case, punctuation, white space and HTML line breaks.

    Examples:
        >>> said("Great!<br /><br />SEE it.")
        'great see it'
    """
    folded = unicodedata.normalize("NFKC", LINE_BREAK.sub(" ", text)).casefold()
    return _NO_LETTERS.sub(" ", folded).strip() or text.strip()
