"""Which files in a directory are data: one walk for fit, check and predict."""

import fnmatch
import glob
import os
import pathlib
import re
from collections.abc import Iterator

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.formats.recognition import EXTENSIONS, FORMATS
from tfxfer.data.image.formats.table import HEAD_BYTES, READ, format_of
from tfxfer.data.source import first_few
from tfxfer.errors import DataError
from tfxfer.system.run_layout import is_work

# Folders of file servers, archives, operating systems and notebooks, which hold thumbnails and
# other copies of the pictures beside them. Names that begin with a dot are hidden anyway.
_SYSTEM_FOLDERS = {
    "__macosx",
    "network trash folder",
    "temporary items",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "lost.dir",
    "@eadir",
    "@tmp",
    "@recycle",
    "@recently-snapshot",
    "@__thumb",
    "#recycle",
    "#snapshot",
    "~snapshot",
    ".ipynb_checkpoints",
    "__pycache__",
}

_SYSTEM_FOLDER = re.compile(r"found\.\d{3}")

_SYSTEM_FILE = re.compile(
    r"thumbs\.db(:.*)?|ehthumbs(_vista)?\.db|desktop\.ini|icon\r|picasa\.ini|zbthumbnail\.info|"
    r"synoindex_media_info|syno(photo|file)_thumb.*|.*@syno(eastream|resource)|~\$.*"
)

# By their content these may be images, but they are no pictures of their own: copies, halves of
# downloads, previews of films, and raw files, of which only a preview would be read.
_NO_PICTURES = {
    "backup copies and unfinished downloads": (
        *(".bak", ".old", ".orig", ".tmp", ".temp", ".swp"),
        *(".part", ".partial", ".filepart", ".crdownload", ".download"),
    ),
    "previews of films": (".thm",),
    "raw files of cameras, which are not read": (
        *(".3fr", ".arw", ".cr2", ".cr3", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos"),
        *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".sr2", ".srf", ".srw", ".x3f"),
    ),
}

_KIND_OF_NO_PICTURE = {end: kind for kind, ends in _NO_PICTURES.items() for end in ends}

_SYSTEM = "files of the system or of other programs"

_WORK = "results of tfxfer (runs, exports)"

_OTHER = f"being no {FORMATS} files"

_READ = {one.name for one in READ}

# Where results go by default: what is empty there is no class.
_RESULTS = {FitConfig.runs_dir, FitConfig.export_dir}

# How deep results lie below a folder that holds nothing else: saved_models/NAME/VERSION.
_DEPTH = 3


class Walk:
    """Lists directories without what is no data, of which it keeps account.

    Hidden files and folders are passed over in silence; what systems and programs leave beside
    pictures, results of tfxfer and files that are no images are left out, and `notes` says so.
    Links are followed, but not those that lead back to a folder around them.
    """

    def __init__(self) -> None:
        # Paths by the reason, and whether they are folders.
        self._left_out: dict[str, dict[str, bool]] = {}
        self._entries: dict[pathlib.Path, tuple[list[pathlib.Path], list[pathlib.Path]]] = {}

    def entries(self, directory: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        """Returns the folders and the files in a directory that may be data, by name.

        Raises:
            DataError: It cannot be listed.
        """
        if directory not in self._entries:
            self._entries[directory] = self._list(directory)
        return self._entries[directory]

    def _list(self, directory: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        folders: list[pathlib.Path] = []
        files: list[pathlib.Path] = []
        try:
            with os.scandir(directory) as found:
                listed = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"Cannot list '{directory}': {error.strerror}.") from error
        for entry in listed:
            path, is_folder = directory / entry.name, _is_folder(entry)
            reason = self._reason_for_folder(path) if is_folder else _reason_for_file(entry)
            if reason:
                self._leave_out(reason, path, is_folder)
            elif entry.name[0] != ".":
                (folders if is_folder else files).append(path)
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
            found += (str(file) for file in files if self.is_image(file))
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
            folders, files = self._hidden(directory) if part[0] == "." else self.entries(directory)
        except DataError:  # as `glob` passes over what cannot be listed
            return
        if part == "**":
            yield from self._matches(directory, rest or ("*",), seen)
            for folder in sorted(folders, key=pathlib.Path.is_symlink):
                yield from self._matches(folder, parts, seen)
            return
        form = re.compile(fnmatch.translate(part))
        if not rest:
            yield from (file for file in files if form.match(file.name))
            return
        for folder in folders:
            if form.match(folder.name):
                yield from self._matches(folder, rest, seen)

    def _hidden(self, directory: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        """Returns the hidden folders and files in a directory, for a pattern that asks for them."""
        found = [path for path in directory.iterdir() if path.name[0] == "."]
        return [path for path in found if path.is_dir()], [path for path in found if path.is_file()]

    def is_image(self, file: pathlib.Path) -> bool:
        """Tells whether a file is one of the formats that are read; others are noted.

        A name with one of their extensions is taken at its word, for whoever reads the file says
        what is wrong with it. Other files are judged by how they begin.
        """
        suffix = file.suffix.lower()
        if suffix in EXTENSIONS:
            return True
        reason = _KIND_OF_NO_PICTURE.get(suffix, "")
        if not reason and file.name.endswith("~"):
            reason = _KIND_OF_NO_PICTURE[".bak"]
        if not reason:
            try:
                with file.open("rb") as content:
                    name = format_of(content.read(HEAD_BYTES))
            except OSError as error:
                self._leave_out(f"files that cannot be read ({error.strerror})", file)
                return False
            if name in _READ:
                return True
            reason = f"being {name} files, which are not read" if name else _OTHER
        self._leave_out(reason, file)
        return False

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
            lines.append(f"left out of '{root}', {reason}: {first_few(names, *nouns)}")
        self._left_out.clear()
        return lines

    def _leave_out(self, reason: str, path: pathlib.Path, is_folder: bool = False) -> None:
        self._left_out.setdefault(reason, {})[str(path)] = is_folder

    def _reason_for_folder(self, folder: pathlib.Path) -> str:
        """Returns why a folder is left out, "" where it may be data."""
        name = folder.name.lower()
        if name in _SYSTEM_FOLDERS or _SYSTEM_FOLDER.fullmatch(name):
            return _SYSTEM
        if folder.name[0] == ".":
            return ""
        if folder.is_symlink() and _leads_back(folder):
            return "links that lead back to a folder around them"
        return _WORK if _holds_work(folder) else ""


def is_system_name(name: str) -> bool:
    """Tells whether a file or folder of this name belongs to a system rather than to the data."""
    name = name.lower()
    return (
        name in _SYSTEM_FOLDERS
        or bool(_SYSTEM_FOLDER.fullmatch(name))
        or bool(_SYSTEM_FILE.fullmatch(name))
    )


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _reason_for_file(entry: "os.DirEntry[str]") -> str:
    """Returns why what is no folder is left out whatever is in it, "" where it may be data."""
    if entry.name[0] == ".":
        return ""
    if _SYSTEM_FILE.fullmatch(entry.name.lower()):
        return _SYSTEM
    try:
        if entry.is_file():
            return ""
    except OSError:
        pass
    if entry.is_symlink() and not os.path.exists(entry.path):
        # A picture that is missing is told by whoever reads it.
        is_picture = entry.name.lower().endswith(EXTENSIONS)
        return "" if is_picture else "links that lead nowhere"
    return "neither files nor folders"  # reading a pipe might wait for ever


def _leads_back(link: pathlib.Path) -> bool:
    """Tells whether a link leads to the folder that it lies in, or to one around it."""
    here, there = os.path.realpath(link.parent), os.path.realpath(link)
    return os.path.commonpath([here, there]) == there


def _holds_work(folder: pathlib.Path, depth: int = _DEPTH) -> bool:
    """Tells whether a folder is a result of tfxfer, or holds such results and no images."""
    if is_work(folder):
        return True
    folders = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name[0] == "." or is_system_name(entry.name):
                    continue
                if _is_folder(entry):
                    folders.append(folder / entry.name)
                elif entry.name.lower().endswith(EXTENSIONS):
                    return False
    except OSError:
        return False  # whoever lists it next will say why it cannot be
    if not folders:
        return folder.name in _RESULTS
    if not depth:
        return False
    held = [_holds_work(one, depth - 1) for one in folders]
    if not any(held) and folder.name not in _RESULTS:
        return False
    # Others may have been made for a result that never came.
    return all(is_held or _is_empty(one) for is_held, one in zip(held, folders, strict=True))


def _is_empty(folder: pathlib.Path) -> bool:
    return not any(name[0] != "." for name in os.listdir(folder))
