"""The versions of an export."""

import contextlib
import glob
import pathlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator

from tfxfer.system.files import flush, rename_away

# No export takes as long: what is older was left by one that was killed.
_LEFT_BEHIND_SECONDS = 24 * 3600


@contextlib.contextmanager
def new_version(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty directory for a new version of an export; see `publish_version`.

    It lies beside the directory of the versions, which so holds whole ones only, whenever the
    process is killed. Directories that are made for it and stay empty are removed again. What
    others left when they were killed is removed after a day.
    """
    made = [path for path in (parent, *parent.parents) if not path.exists()]
    # The directory itself is made for a version that is whole; a file in its place fails now.
    (parent if parent.exists() else parent.parent).mkdir(parents=True, exist_ok=True)
    for left in parent.parent.glob(f"{glob.escape(_unfinished_prefix(parent))}*"):
        with contextlib.suppress(OSError):  # another one may be removing it, too
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                shutil.rmtree(left)
    temporary = _beside(parent)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may have filled it meanwhile
            for path in made:
                if path.exists():
                    path.rmdir()


def versions(parent: pathlib.Path) -> list[pathlib.Path]:
    """Returns the versions in a directory of exports, the oldest first."""
    found = parent.iterdir() if parent.is_dir() else ()
    numbered = [path for path in found if re.fullmatch(r"[0-9]+", path.name)]
    return sorted(numbered, key=lambda path: int(path.name))


def next_version(parent: pathlib.Path) -> int:
    """Returns the integer after the highest version in a directory of exports, 1 for none."""
    return max((int(path.name) for path in versions(parent)), default=0) + 1


def publish_version(temporary: pathlib.Path, parent: pathlib.Path) -> pathlib.Path:
    """Renames a complete directory to the next free integer version and returns its new path.

    Its files are flushed to the disk before: a server that polls sees all of a version or none.
    """
    for path in temporary.rglob("*"):
        flush(path)
    temporary.chmod(0o755)  # mkdtemp's 0700 would keep a server of another user out
    while True:
        parent.mkdir(exist_ok=True)
        version = parent / str(next_version(parent))
        try:
            temporary.rename(version)
        except OSError:
            # Another export may have taken the number first, or removed a directory that was empty.
            if not version.exists() and parent.exists():
                raise
        else:
            flush(parent)
            return version


def prune_versions(parent: pathlib.Path, keep: int) -> list[pathlib.Path]:
    """Removes all versions but the newest, and returns which these were.

    A version disappears by a rename before its files do: a server never reads half of it.

    Args:
        parent: A directory of exports.
        keep: How many stay, at least 1.
    """
    old = versions(parent)[:-keep]
    for version in old:
        gone = _beside(parent)
        rename_away(version, gone)
        shutil.rmtree(gone, ignore_errors=True)
    return old


def _unfinished_prefix(parent: pathlib.Path) -> str:
    """Returns how the names of directories begin of what is no version yet, or no more."""
    return f".unfinished-{parent.name}-"


def _beside(parent: pathlib.Path) -> pathlib.Path:
    """Returns a new empty directory beside that of the versions, on the same file system."""
    return pathlib.Path(tempfile.mkdtemp(prefix=_unfinished_prefix(parent), dir=parent.parent))
