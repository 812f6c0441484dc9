"""Opens data at URLs by copies of their files, with ids and messages that name the URLs."""

import dataclasses
import os
import pathlib
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfxfer.config.paths import is_url, listed_path
from tfxfer.data.cache import Cache
from tfxfer.data.remote.copies import Copies
from tfxfer.data.remote.listing import Listing, list_at, list_each
from tfxfer.data.remote.store import Store
from tfxfer.data.source import Source, Split
from tfxfer.data.sources.records.labels import LABELS_FILE
from tfxfer.errors import DataError, UsageError

# At least one of the first this many files of a manifest must exist.
_TRIED = 64


@dataclass(frozen=True)
class ListedFiles:
    """Where the files are that a manifest lists.

    Attributes:
        manifest: Its path, or its URL.
        cache: What keeps copies of files at URLs; None for the default one.
    """

    manifest: str
    cache: Cache | None = None

    def located(self, written: Sequence[str]) -> tuple[list[str], list[str], str]:
        """Returns the paths of files, their ids, and a note if some are copies.

        Args:
            written: Paths as the manifest has them, or URLs; relative ones start at its folder.

        Raises:
            DataError: None of the first ones exists.
            UsageError, DataError, RunError: They cannot be copied.
        """
        ids = [self._id_of(path) for path in written]
        by_protocol: dict[str, list[str]] = {}
        for one in filter(is_url, ids):
            by_protocol.setdefault(one.partition("://")[0], []).append(one)
        # A copy that there is not: whoever reads it says so.
        copied = {one: f"{os.sep}missing:{one}" for one in filter(is_url, ids)}
        notes = []
        for protocol, urls in by_protocol.items():
            name = self.manifest + (f" ({protocol})" if len(by_protocol) > 1 else "")
            found = list_each(name, urls)
            if found:
                files = tuple(sorted(found.values(), key=lambda file: file.place))
                listing = Listing(name, Store.of(urls[0]), files)
                folder, note = _copies(self.cache).made(listing)
                notes.append(note)
                copied |= {url: str(folder / file.place) for url, file in found.items()}
        paths = [copied.get(one, one) for one in ids]
        self._check_there(written[0], paths[:_TRIED], ids[0])
        return paths, ids, "; ".join(notes)

    def _check_there(self, written: str, paths: Sequence[str], tried: str) -> None:
        """Raises a DataError if none of some files exists."""
        if not any(map(os.path.exists, paths)):
            is_windows = re.match(r"[A-Za-z]:[\\/]", written)
            hint = " It is a Windows path." if is_windows and os.sep == "/" else ""
            raise DataError(
                f"None of the first {len(paths):,} files in the manifest '{self.manifest}' exists; "
                f"the first is '{tried}'.{hint} Correct the paths; relative paths start at the "
                "directory of the manifest."
            )

    def _id_of(self, path: str) -> str:
        if is_url(path):
            return path
        if is_url(self.manifest) and not path.startswith("/"):
            protocol, _, rest = self.manifest.partition("://")
            inside = posixpath.join(posixpath.dirname(rest), path.replace("\\", "/"))
            return f"{protocol}://{posixpath.normpath(inside)}"
        return listed_path(path, os.path.dirname(self.manifest))


def open_url(
    url: str,
    cache: Cache | None,
    takes_file: Callable[[str], bool],
    open_path: Callable[[pathlib.Path, ListedFiles], Source],
) -> Source:
    """Returns the data at a URL, of which copies are made; ids of examples are URLs.

    Args:
        url: Of a folder or a file.
        cache: What keeps the copies; None for the default one.
        takes_file: Tells whether a file of a name can be data.
        open_path: Opens the copies; also gets where a manifest finds its files.

    Raises:
        UsageError, DataError, RunError: They cannot be read or copied, or opened.
    """
    listing = list_at(url)
    url, name = listing.store.url, listing.files[0].place.split("/")[0]
    if listing.files[0].path == listing.store.root:
        if not takes_file(name):
            raise UsageError(
                f"'{url}' is a file, but neither a manifest nor TFRecords; setting 'data' takes "
                "these or a folder of images."
            )
        listing = _with_labels(listing)
    folder, note = _copies(cache).made(listing)
    path = folder / name

    def told(text: str) -> str:
        return text.replace(str(path), url)

    try:
        source = open_path(path, ListedFiles(url, cache))
    except (UsageError, DataError) as error:
        raise type(error)(told(str(error))) from error
    notes = (note, *map(told, source.notes))
    splits = {name: _named(split, told) for name, split in source.splits.items()}
    return dataclasses.replace(source, splits=splits, notes=notes, origin=url)


def _copies(cache: Cache | None) -> Copies:
    return Copies(cache or Cache.of(None))


def _with_labels(listing: Listing) -> Listing:
    """Returns a file together with the class names of TFRecords, if they are beside it."""
    beside = posixpath.join(posixpath.dirname(listing.url), LABELS_FILE)
    labels = list_each(listing.url, [beside]).get(beside)
    more = () if labels is None else (dataclasses.replace(labels, place=LABELS_FILE),)
    return dataclasses.replace(listing, files=(*listing.files, *more))


def _named(split: Split, told: Callable[[str], str]) -> Split:
    """Returns a split whose ids name URLs."""
    describe = split.describe
    return dataclasses.replace(split, describe=lambda index: told(describe(index)))
