"""The content of files, local and at URLs, some at a time: what is classified is read once."""

import concurrent.futures
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfxfer.config.paths import is_url, listed_path, user_path
from tfxfer.data.remote.listing import images_at
from tfxfer.data.remote.store import Store, reading
from tfxfer.data.source import Split, in_any_order
from tfxfer.data.sources.files import split_of_files
from tfxfer.data.sources.folders.expanding import expand
from tfxfer.system.digests import Ids, ids_of

# Files that are fetched at once; those that follow are fetched meanwhile.
_BLOCK = 128


@dataclass(frozen=True)
class Block:
    """Some of many files.

    Attributes:
        files: Their paths and URLs.
        reasons: Why some could not be fetched, by their place among the files.
        split: The others, without labels.
    """

    files: Sequence[str | pathlib.Path]
    reasons: dict[int, str]
    split: Split


def named_files(
    paths: Iterable[str | pathlib.Path],
    listed: Iterable[str | pathlib.Path],
    say: Callable[[str], None],
) -> list[str | pathlib.Path]:
    """Returns files to classify; those at URLs as text.

    Args:
        paths: Files, folders, patterns and their URLs.
        listed: Files, which may be missing.
        say: Called with notes on what folders and patterns leave out.

    Raises:
        UsageError: A path does not exist, or has no images.
        DataError: A store cannot be read.
    """
    found: list[str | pathlib.Path] = []
    for path in (os.fspath(path) for path in paths):
        found += images_at(path, say) if is_url(path) else expand(user_path(path), say)
    for path in (os.fspath(path) for path in listed):
        found.append(path if is_url(path) else pathlib.Path(listed_path(path)))
    return found


def in_blocks(files: Sequence[str | pathlib.Path]) -> Iterator[Block]:
    """Yields files in their order; those on the disk are read when needed.

    Raises:
        DataError: A store cannot be reached.
    """
    if not any(map(_is_url, files)):
        yield Block(files, {}, _unlabeled([str(file) for file in files]))
        return
    parts = [files[start : start + _BLOCK] for start in range(0, len(files), _BLOCK)]
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        following = thread.submit(_fetched, parts[0])
        for part in [*parts[1:], []]:
            block, following = following.result(), thread.submit(_fetched, part)
            yield block


def _is_url(file: str | pathlib.Path) -> bool:
    return isinstance(file, str) and is_url(file)


def _unlabeled(paths: Sequence[str]) -> Split:
    return split_of_files(paths, np.zeros(len(paths), np.int64))  # the labels are placeholders


def _fetched(files: Sequence[str | pathlib.Path]) -> Block:
    """Returns files with their contents."""
    contents: dict[int, bytes] = {}
    reasons: dict[int, str] = {}
    places = {place: str(file) for place, file in enumerate(files) if _is_url(file)}
    for place, file in enumerate(files):
        if place not in places:
            try:
                contents[place] = pathlib.Path(file).read_bytes()
            except OSError as error:
                reasons[place] = os.strerror(error.errno) if error.errno else str(error)
    by_protocol: dict[str, dict[int, str]] = {}
    for place, url in places.items():
        by_protocol.setdefault(url.partition("://")[0], {})[place] = url
    for some in by_protocol.values():
        _fetch(some, contents, reasons)
    there = [contents[place] for place in sorted(contents)]
    return Block(
        files, reasons, _split_of(there, [str(files[place]) for place in sorted(contents)])
    )


def _fetch(urls: dict[int, str], contents: dict[int, bytes], reasons: dict[int, str]) -> None:
    """Adds the contents of files of one store, or the reasons why they cannot be read."""
    first = next(iter(urls.values()))
    store = Store.of(first)
    paths = {place: str(store.files._strip_protocol(url)) for place, url in urls.items()}
    with reading(first):
        found = store.files.cat(sorted(set(paths.values())), on_error="return")
    for place, path in paths.items():
        content = found.get(path, FileNotFoundError())
        if isinstance(content, bytes):
            contents[place] = content
        elif isinstance(content, FileNotFoundError):
            reasons[place] = "there is no such file"
        elif isinstance(content, PermissionError):
            reasons[place] = "permission denied"
        else:
            with reading(urls[place]):
                raise content


def _split_of(contents: Sequence[bytes], names: Sequence[str]) -> Split:
    """Returns contents of files as a split."""
    table = tf.constant(list(contents), tf.string)

    def digests() -> Ids:
        return ids_of((content,) for content in contents)

    labels = np.zeros(len(contents), np.int64)
    return in_any_order(labels, lambda i: tf.gather(table, i), names.__getitem__, digests)
