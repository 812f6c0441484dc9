"""Which files in a directory are data: one walk for fit, check and predict."""

import fnmatch
import glob
import os
import pathlib
import re
from collections.abc import Iterator

from tfxfer.data.source import first_few
from tfxfer.data.sources.folders.no_data import is_folder, why_no_file, why_no_folder, why_no_image
from tfxfer.errors import DataError

# The folders in a directory, and the paths of the files, of which there may be millions.
Entries = tuple[list[pathlib.Path], list[str]]


class Walk:
    """Lists directories without what is not data, and records what was left out.

    Hidden files and folders are skipped without a note. Files of systems and programs, results of
    tfxfer and files that are not images are left out, and `notes` says so. Links are followed,
    except those to a parent folder.
    """

    def __init__(self) -> None:
        # Paths by the reason, and whether they are folders.
        self._left_out: dict[str, dict[str, bool]] = {}
        self._entries: dict[pathlib.Path, Entries] = {}

    def entries(self, directory: pathlib.Path) -> Entries:
        """Returns the folders and the files in a directory that may be data, by name.

        Raises:
            DataError: It cannot be listed.
        """
        if directory not in self._entries:
            self._entries[directory] = self._list(directory)
        return self._entries[directory]

    def _list(self, directory: pathlib.Path) -> Entries:
        folders: list[pathlib.Path] = []
        files: list[str] = []
        start = str(directory / "x")[:-1]  # without "./"
        try:
            with os.scandir(directory) as found:
                listed = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"Cannot list '{directory}': {error.strerror}.") from error
        for entry in listed:
            path, is_directory = start + entry.name, is_folder(entry)
            folder = pathlib.Path(path) if is_directory else None
            reason = why_no_folder(folder) if folder else why_no_file(entry)
            if reason:
                self._leave_out(reason, path, is_directory)
            elif entry.name[0] != ".":
                if folder:
                    folders.append(folder)
                else:
                    files.append(path)
        return folders, files

    def images(self, folder: pathlib.Path) -> list[str]:
        """Returns the paths of the images in a folder and below it, each once, in their order.

        Raises:
            DataError: A folder cannot be listed.
        """
        found: list[str] = []
        seen: set[str] = set()
        pending, linked = [folder], list[pathlib.Path]()
        # What lies here comes before what a link leads to: an image has the path that it lies at.
        while pending or linked:
            directory = pending.pop() if pending else linked.pop()
            real = os.path.realpath(directory)
            if real in seen:
                continue
            seen.add(real)
            folders, files = self.entries(directory)
            for one in reversed(folders):
                (linked if one.is_symlink() else pending).append(one)
            found += filter(self.is_image, files)
        return sorted(found)

    def matches(self, pattern: pathlib.Path) -> Iterator[pathlib.Path]:
        """Yields the files that match a pattern with `*`, `**`, `?` or `[...]`, as `glob` does.

        Folders and files that are named in it are taken whatever they are; what stands for many
        passes over what is no data. A file may come several times.
        """
        start = pathlib.Path(pattern.anchor)
        parts = pattern.parts[1:] if pattern.anchor else pattern.parts
        return self._matches(start, parts, set())

    def _matches(
        self, directory: pathlib.Path, parts: tuple[str, ...], seen: set[tuple[str, int]]
    ) -> Iterator[pathlib.Path]:
        part, rest = parts[0], parts[1:]
        if not glob.has_magic(part):
            path = directory / part
            if not rest and path.is_file():
                yield path
            elif rest and path.is_dir():
                yield from self._matches(path, rest, seen)
            return
        if part == "**":  # links may lead here by ways without end
            place = (os.path.realpath(directory), len(parts))
            if place in seen:
                return
            seen.add(place)
        try:
            folders, files = _hidden(directory) if part[0] == "." else self.entries(directory)
        except DataError:  # as `glob` passes over what cannot be listed
            return
        if part == "**":
            yield from self._matches(directory, rest or ("*",), seen)
            for folder in sorted(folders, key=pathlib.Path.is_symlink):
                yield from self._matches(folder, parts, seen)
            return
        form = re.compile(fnmatch.translate(part))
        if not rest:
            found = filter(lambda file: form.match(os.path.basename(file)), files)
            yield from map(pathlib.Path, found)
            return
        for folder in folders:
            if form.match(folder.name):
                yield from self._matches(folder, rest, seen)

    def is_image(self, file: str) -> bool:
        """Tells whether a file is one of the formats that are read; others are noted."""
        reason = why_no_image(file)
        if reason:
            self._leave_out(reason, file)
        return not reason

    def notes(self, root: pathlib.Path) -> list[str]:
        """Returns what was left out since the last call, a line for each reason.

        Args:
            root: What the paths in the lines are relative to.
        """
        lines = []
        for reason in sorted(self._left_out):
            found = self._left_out[reason]
            names = sorted(os.path.relpath(path, root) for path in found)
            nouns = ("folder", "folders") if all(found.values()) else ("entry", "entries")
            nouns = nouns if any(found.values()) else ("file", "files")
            lines.append(f"left out of '{root}' ({reason}): {first_few(names, *nouns)}")
        self._left_out.clear()
        return lines

    def _leave_out(self, reason: str, path: str, is_directory: bool = False) -> None:
        self._left_out.setdefault(reason, {})[path] = is_directory


def _hidden(directory: pathlib.Path) -> Entries:
    """Returns the hidden folders and files in a directory, for a pattern that asks for them."""
    found = [path for path in directory.iterdir() if path.name[0] == "."]
    folders = [path for path in found if path.is_dir()]
    return folders, [str(path) for path in found if path.is_file()]
