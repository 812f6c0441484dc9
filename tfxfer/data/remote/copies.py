"""Copies on disk of the files at a URL, each complete or not there, which runs share.

The key is a digest of the listing. So once a file has changed at the URL there is a folder of its
own for the new state, to which unchanged files are linked, and a run that is training on the old
state is not disturbed. What is interrupted is completed by the next process. Folders that no
process uses are removed when there is a newer state, or for space.
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfxfer.config.settings import option_of
from tfxfer.data.remote.fetching import fetch
from tfxfer.data.remote.kept import FILES, LISTING, KeptCopies, filling, hold, read_listing, remove
from tfxfer.data.remote.listing import Listing, StoredFile
from tfxfer.errors import RunError, UsageError
from tfxfer.system.files import check_writable, remove_half_written, write_json
from tfxfer.system.progress import readable_bytes
from tfxfer.system.streams import note

# What is left free on a disk that is filled.
_FREE_BYTES = 100 * 10**6


@dataclass(frozen=True)
class Copies(KeptCopies):
    """The copies in a cache, limited in size: to as much as the rest of the cache."""

    def made(self, listing: Listing) -> tuple[pathlib.Path, str]:
        """Returns the folder of the copies of files, complete, and a note on them.

        Raises:
            UsageError: They are larger than the cache may be, or it cannot be written.
            RunError: There is no space for them.
            DataError: They cannot be read.
        """
        self._check_limit(listing)
        check_writable(self.directory, "cache_dir")
        folder = self.directory / listing.key
        hold(folder)
        with filling(folder, listing.url):
            files = folder / FILES
            remove_half_written(folder, shared=True)
            if not (folder / LISTING).is_file():
                content = {"url": listing.url, "files": list(map(listing.record_of, listing.files))}
                write_json(folder / LISTING, content)
            missing = [file for file in listing.files if not _is_there(files / file.place, file)]
            if missing:
                self._link(listing, missing, files)
                missing = [file for file in missing if not _is_there(files / file.place, file)]
                self._make_room(listing, missing)
                if missing:
                    note(f"copying {_amount(missing)} of '{listing.url}' to '{files}'")
                    fetch(listing, missing, files)
                self._remove_older(listing)
        os.utime(folder / LISTING)  # when it was last used
        fetched = f", {len(missing):,} of them fetched now" if missing else ", fetched before"
        return files, f"{_amount(listing.files)} of '{listing.url}' are in '{files}'{fetched}"

    def _check_limit(self, listing: Listing) -> None:
        """Raises a UsageError if files are larger than the cache may be."""
        limit, option = self.cache.max_bytes, option_of("cache_gigabytes")
        if not limit:
            raise UsageError(
                f"The files of '{listing.url}' are copied to the cache, which is disabled: "
                f"'cache_gigabytes' ({option}) is 0, or there is no directory for it."
            )
        if listing.num_bytes > limit:
            raise UsageError(
                f"The {_amount(listing.files)} of '{listing.url}' would be copied, but setting "
                f"'cache_gigabytes' ({option}) allows {readable_bytes(limit)}. Raise it, or name a "
                "part of the data."
            )

    def _make_room(self, listing: Listing, missing: list[StoredFile]) -> None:
        """Removes copies that were not used for longest until there is room for others.

        Raises:
            RunError: There is none.
        """
        needed = sum(max(0, file.size) for file in missing)
        others = [entry for entry in self.entries() if entry.key != listing.key]
        total = listing.num_bytes + sum(entry.num_bytes for entry in others)
        for entry in others:
            free = shutil.disk_usage(self.directory).free - _FREE_BYTES
            if total <= self.cache.max_bytes and needed <= free:
                return
            if remove(self.directory / entry.key):
                total -= entry.num_bytes
        free = max(0, shutil.disk_usage(self.directory).free - _FREE_BYTES)
        if needed > free:
            raise RunError(
                f"To copy the {_amount(missing)} of '{listing.url}' there is too little space: "
                f"{readable_bytes(free)} in '{self.directory}'. Free some, or choose another "
                f"{option_of('cache_dir')}."
            )

    def _link(self, listing: Listing, missing: list[StoredFile], files: pathlib.Path) -> None:
        """Links what older copies of the same URL have."""
        wanted = {listing.record_of(file): file for file in missing}
        for folder in self._older(listing):
            records = map(tuple, read_listing(folder)["files"])
            for file in (wanted[record] for record in records if record in wanted):
                source, target = folder / FILES / file.place, files / file.place
                if _is_there(source, file) and not _is_there(target, file):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with contextlib.suppress(OSError):  # no links here: it is fetched
                        os.link(source, target)

    def _older(self, listing: Listing) -> Iterator[pathlib.Path]:
        """Yields the folders of other states of a URL."""
        for entry in self.entries():
            if entry.about["what"] == listing.url and entry.key != listing.key:
                yield self.directory / entry.key

    def _remove_older(self, listing: Listing) -> None:
        for folder in self._older(listing):
            remove(folder)


def _is_there(path: pathlib.Path, file: StoredFile) -> bool:
    """Tells whether a file was copied: it appears when it is complete."""
    try:
        return file.size in (-1, path.stat().st_size)
    except OSError:
        return False


def _amount(files: Any) -> str:
    size = sum(max(0, file.size) for file in files)
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'} ({readable_bytes(size)})"
