"""The files at URLs: their sizes, and what tells that they have changed."""

import concurrent.futures
import functools
import glob
import os
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.data.image.formats.recognition import EXTENSIONS
from tfxfer.data.remote.store import Store, reading
from tfxfer.data.source import first_few
from tfxfer.errors import UsageError
from tfxfer.system.digests import key_of

# What a store says of a file that differs once the file does, the surest first.
_STAMPS = (
    *("ETag", "etag", "md5Hash", "content_md5", "crc32c", "generation"),
    *("mtime", "LastModified", "last_modified", "updated", "modified", "created"),
)

# Folders that are listed at a time.
_THREADS = 8


@dataclass(frozen=True)
class StoredFile:
    """A file at a URL.

    Attributes:
        path: In its store.
        place: Where its copy lies below the folder of all copies.
        size: In bytes; -1 where the store does not tell.
        stamp: Another one once the file has changed; "" where the store does not tell.
    """

    path: str
    place: str
    size: int
    stamp: str


@dataclass(frozen=True)
class Listing:
    """Files at URLs of one store.

    Attributes:
        url: What they are called in messages: the URL that they are at, or are listed in.
        store: Where they are.
        files: In the order of their places.
    """

    url: str
    store: Store
    files: tuple[StoredFile, ...]

    @functools.cached_property
    def num_bytes(self) -> int:
        """The size of all files."""
        return sum(max(0, file.size) for file in self.files)

    @functools.cached_property
    def key(self) -> str:
        """A digest that changes once a file does, or there are others."""
        return key_of({"url": self.url, "files": [self.record_of(file) for file in self.files]})

    @staticmethod
    def record_of(file: StoredFile) -> tuple[str, int, str]:
        """Returns what identifies a file and its content."""
        return (file.place, file.size, file.stamp)


def list_at(url: str) -> Listing:
    """Returns the file at a URL, or all below it without hidden ones.

    Their places begin with the last part of the URL.

    Raises:
        UsageError: There are none, or their names cannot be those of files here.
        DataError: The store cannot be read.
    """
    store = Store.of(url)
    with reading(url):
        found = store.files.find(store.root, detail=True)
    top = posixpath.basename(store.root) or "data"
    files = []
    for path, facts in found.items():
        below = path[len(store.root) :].strip("/")
        if _is_file(path, facts) and not _is_hidden(below):
            files.append(_stored(path, posixpath.join(top, below) if below else top, facts))
    if not files:
        raise UsageError(f"There is nothing at '{url}'.")
    return Listing(store.url, store, _checked(url, files))


def list_each(url: str, urls: Sequence[str]) -> dict[str, StoredFile]:
    """Returns the files at URLs of one store, by URL; those that are missing are left out.

    The folders that they are in are listed, so that a million files are a thousand requests.

    Args:
        url: What they are listed in, for messages.
        urls: Of files.

    Raises:
        UsageError, DataError: As of `list_at`.
    """
    store = Store.of(urls[0])
    paths = {one: str(store.files._strip_protocol(one)) for one in urls}
    folders = sorted({posixpath.dirname(path) for path in paths.values()})

    def listed(folder: str) -> list[Mapping[str, Any]]:
        try:
            with reading(f"{url}, folder {folder}"):
                return list(store.files.ls(folder, detail=True))
        except UsageError:  # there is no such folder
            return []

    facts: dict[str, Mapping[str, Any]] = {}
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        for found in threads.map(listed, folders):
            facts |= {str(one["name"]).rstrip("/"): one for one in found}
    files = {
        one: _stored(path, path.strip("/"), facts[path])
        for one, path in paths.items()
        if path in facts and _is_file(path, facts[path])
    }
    _checked(url, files.values())
    return files


def images_at(url: str, say: Callable[[str], None]) -> list[str]:
    """Returns the URLs of the images that a URL stands for, sorted.

    Args:
        url: Of a file, a folder, which is searched with its subfolders, or a pattern with `*`,
            `**`, `?` or `[...]`.
        say: Called with a note on files that were left out.

    Raises:
        UsageError: There are none.
        DataError: The store cannot be read.
    """
    store = Store.of(url)
    with reading(url):
        found = store.files.find(store.root, detail=True)
        is_pattern = not found and glob.has_magic(store.root)
        if is_pattern:
            found = store.files.glob(store.root, detail=True)
    if not found:
        raise UsageError(f"There is nothing at '{url}'.")
    if list(found) == [store.root]:
        return [store.url]

    def below(path: str) -> str:  # of a pattern, the name alone
        return posixpath.basename(path) if is_pattern else path[len(store.root) :]

    names = sorted(
        path
        for path, facts in found.items()
        if _is_file(path, facts) and not _is_hidden(below(path))
    )
    images = [path for path in names if path.lower().endswith(EXTENSIONS)]
    if not images:
        raise UsageError(f"There is no {', '.join(EXTENSIONS)} file at '{url}'.")
    if len(images) < len(names):
        others = [posixpath.basename(path) for path in names if path not in set(images)]
        say(f"left out of '{url}' (not images by name): {first_few(others, 'file', 'files')}")
    if is_pattern:
        return [str(store.files.unstrip_protocol(path)) for path in images]
    return [store.url_of(path) for path in images]


def _is_file(path: str, facts: Mapping[str, Any]) -> bool:
    """Tells whether something is a file, and no mark of a folder that has none."""
    return facts.get("type", "file") == "file" and not path.endswith("/")


def _is_hidden(below: str) -> bool:
    """Tells whether a path below another one has a part that is hidden."""
    return any(part.startswith(".") for part in below.split("/"))


def _stored(path: str, place: str, facts: Mapping[str, Any]) -> StoredFile:
    size = facts.get("size")
    told = (f"{key} {facts[key]}" for key in _STAMPS if facts.get(key) is not None)
    return StoredFile(path, place, -1 if size is None else int(size), next(told, ""))


def _checked(url: str, files: Iterable[StoredFile]) -> tuple[StoredFile, ...]:
    """Returns files in the order of their places.

    Raises:
        UsageError: A copy could not have the name of its file.
    """
    ordered = tuple(sorted(files, key=lambda file: file.place))
    places = {file.place for file in ordered}
    for file in ordered:
        parts = file.place.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        problem = ""
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            problem = "has a part that no file here can have"
        elif any(len(os.fsencode(part)) > 255 for part in parts):
            problem = "has a part of more than 255 bytes"
        elif any(one in places for one in above):
            problem = "is below another file"
        if problem:
            raise UsageError(f"The name of '{file.path}' of '{url}' {problem}. Rename it.")
    return ordered
