"""Which files and folders are not data, and why."""

import os
import pathlib
import re

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.formats.recognition import EXTENSIONS, FORMATS
from tfxfer.data.image.formats.table import HEAD_BYTES, READ, format_of
from tfxfer.system.run_layout import is_work

# Folders of file servers, archives, operating systems and notebooks, which contain thumbnails and
# other duplicates of the images. Names that start with a dot are hidden anyway.
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

# By content these may be images, but not images of their own: backups, partial downloads, video
# thumbnails, and raw files, of which only a preview would be decoded.
_NOT_IMAGES = {
    "backup copies and unfinished downloads": (
        *(".bak", ".old", ".orig", ".tmp", ".temp", ".swp"),
        *(".part", ".partial", ".filepart", ".crdownload", ".download"),
    ),
    "video thumbnails": (".thm",),
    "camera raw files, which are not supported": (
        *(".3fr", ".arw", ".cr2", ".cr3", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos"),
        *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".sr2", ".srf", ".srw", ".x3f"),
    ),
}

_KIND_OF_NOT_IMAGE = {end: kind for kind, ends in _NOT_IMAGES.items() for end in ends}

# What CVS keeps in each of its folders. A class may have that name, too.
_CVS_FILES = ("Entries", "Repository", "Root")

_SYSTEM = "files of the system or of other programs"

_WORK = "results of tfxfer (runs, exports)"

_OTHER = f"not {FORMATS}"

_READ = {one.name for one in READ}

_IMAGE_SUFFIXES = frozenset(EXTENSIONS)

# Where results go by default: what is empty there is no class.
_RESULTS = {FitConfig.runs_dir, FitConfig.export_dir}

# Depth of results in a folder that contains nothing else: saved_models/NAME/VERSION.
_DEPTH = 3


def is_system_name(name: str) -> bool:
    """Tells whether a file or folder of this name belongs to a system rather than to the data."""
    name = name.lower()
    return (
        name in _SYSTEM_FOLDERS
        or bool(_SYSTEM_FOLDER.fullmatch(name))
        or bool(_SYSTEM_FILE.fullmatch(name))
    )


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Tells whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def why_no_folder(folder: pathlib.Path) -> str:
    """Returns why a folder is left out, "" where it may be data."""
    name = folder.name.lower()
    if name in _SYSTEM_FOLDERS or _SYSTEM_FOLDER.fullmatch(name) or _is_of_cvs(folder):
        return _SYSTEM
    if folder.name[0] == ".":
        return ""
    if folder.is_symlink() and _leads_back(folder):
        return "links to a parent folder"
    return _WORK if _holds_work(folder) else ""


def why_no_file(entry: "os.DirEntry[str]") -> str:
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
        # A missing image is reported when it is read.
        is_image = entry.name.lower().endswith(EXTENSIONS)
        return "" if is_image else "broken links"
    return "neither files nor folders"  # reading a pipe might block forever


def why_no_image(file: str) -> str:
    """Returns why a file is not a supported image, "" if it is one.

    A file with a known extension counts as an image; errors come up when it is read. Other files
    are recognized by their first bytes.
    """
    suffix = file[file.rfind(".") :].lower()  # no such one where there is no dot in the name
    if suffix in _IMAGE_SUFFIXES:
        return ""
    if suffix in _KIND_OF_NOT_IMAGE:
        return _KIND_OF_NOT_IMAGE[suffix]
    if file.endswith("~"):
        return _KIND_OF_NOT_IMAGE[".bak"]
    try:
        with open(file, "rb") as content:
            name = format_of(content.read(HEAD_BYTES))
    except OSError as error:
        return f"unreadable files ({error.strerror})"
    if name in _READ:
        return ""
    return f"{name} files, which are not supported" if name else _OTHER


def _is_of_cvs(folder: pathlib.Path) -> bool:
    """Tells whether a folder is one in which CVS keeps its records."""
    return folder.name == "CVS" and any(os.path.isfile(folder / name) for name in _CVS_FILES)


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
                if is_folder(entry):
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
    try:
        return not any(name[0] != "." for name in os.listdir(folder))
    except OSError:
        return False  # whoever lists it next will say why it cannot be
