"""Fetches files from a store to the disk, by fsspec, several at a time."""

import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator, Sequence

from tfxfer.data.remote.listing import Listing, StoredFile
from tfxfer.data.remote.store import reading
from tfxfer.errors import DataError
from tfxfer.system.progress import Progress

# Files and bytes that are fetched together, and lost if that is interrupted.
_MOST_FILES, _MOST_BYTES = 256, 64 * 10**6


def fetch(listing: Listing, missing: Sequence[StoredFile], folder: pathlib.Path) -> None:
    """Writes files of a store below a folder, each when it is complete.

    Args:
        listing: What they are part of.
        missing: The files to fetch.
        folder: Below which they get their places.

    Raises:
        DataError: They cannot be read, or have changed since they were listed.
        RunError: The disk is full.
    """
    # Hosts that share the folder may have processes of one number.
    arriving = folder.with_name(f".{os.getpid()}.{uuid.uuid4().hex}")
    try:
        with Progress("files copied", len(missing)) as progress:
            done = 0
            for chunk in _chunks(missing):
                temporary = [str(arriving / str(number)) for number in range(len(chunk))]
                arriving.mkdir(parents=True, exist_ok=True)
                with reading(listing.url):
                    listing.store.files.get([file.path for file in chunk], temporary)
                for file, path in zip(chunk, temporary, strict=True):
                    _place(listing, file, path, folder / file.place)
                done += len(chunk)
                progress.update(done)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _place(listing: Listing, file: StoredFile, path: str, target: pathlib.Path) -> None:
    """Renames what was fetched, if it is what was listed."""
    if file.size not in (-1, os.path.getsize(path)):
        raise DataError(
            f"'{file.path}' of '{listing.url}' has changed while it was copied: "
            f"{os.path.getsize(path):,} bytes instead of {file.size:,}. Run it again."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, target)


def _chunks(files: Sequence[StoredFile]) -> Iterator[list[StoredFile]]:
    """Yields files some at a time."""
    chunk: list[StoredFile] = []
    size = 0
    for file in files:
        if chunk and (len(chunk) == _MOST_FILES or size + file.size > _MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += max(0, file.size)
    if chunk:
        yield chunk
