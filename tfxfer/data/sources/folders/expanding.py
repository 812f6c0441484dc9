"""The image files that a path stands for, where images have no labels."""

import glob
import pathlib
from collections.abc import Callable

from tfxfer.data.image.formats.recognition import EXTENSIONS
from tfxfer.data.sources.folders.walk import Walk
from tfxfer.errors import UsageError


def expand(path: pathlib.Path, say: Callable[[str], None]) -> list[pathlib.Path]:
    """Returns a file itself, or the image files of a folder or a pattern, sorted.

    Args:
        path: A file, a folder, which is searched with its subfolders, or a pattern with `*`, `**`,
            `?` or `[...]`.
        say: Called with each note on files that were left out.

    Raises:
        UsageError: There is no such file, or no image.
    """
    if path.is_file():
        return [path]
    walk = Walk()
    if path.is_dir():
        root, found = path, [pathlib.Path(file) for file in walk.images(path)]
        missing = f"The folder '{path}' has no {', '.join(EXTENSIONS)} files"
    elif glob.has_magic(str(path)):
        root = _before_pattern(path)
        found = [file for file in walk.matches(path) if walk.is_image(str(file))]
        missing = f"No {', '.join(EXTENSIONS)} file matches '{path}'"
    else:
        raise UsageError(f"There is no file '{path}'.")
    notes = walk.notes(root)
    if not found:
        raise UsageError(f"{'; '.join([missing, *notes])}.")
    for note in notes:
        say(note)
    return sorted(set(found))


def _before_pattern(path: pathlib.Path) -> pathlib.Path:
    """Returns the folder before the first wildcard of a pattern."""
    return next(parent for parent in path.parents if not glob.has_magic(str(parent)))
