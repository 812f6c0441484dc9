"""The versions of an export."""

import contextlib
import glob
import pathlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator

from tfxfer.runs.metrics_record import read_metrics
from tfxfer.system.files import flush, rename_away
from tfxfer.system.run_layout import RunDirectory

# No export takes this long: older directories were left by killed processes.
_LEFT_BEHIND_SECONDS = 24 * 3600


@contextlib.contextmanager
def new_version(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty directory for a new version of an export; see `publish_version`.

    It is a sibling of `parent`, so that `parent` only ever holds complete versions. Directories
    created for it that stay empty are removed again. Leftovers of killed processes are removed
    after a day.

    Args:
        parent: The directory of the versions.
    """
    made = [path for path in (parent, *parent.parents) if not path.exists()]
    # The directory itself is created for a complete version; a file in its place fails now.
    (parent if parent.exists() else parent.parent).mkdir(parents=True, exist_ok=True)
    for left in parent.parent.glob(f"{glob.escape(_unfinished_prefix(parent))}*"):
        with contextlib.suppress(OSError):  # another process may be removing it, too
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                shutil.rmtree(left)
    temporary = _beside(parent)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may have written to it meanwhile
            for path in made:
                if path.exists():
                    path.rmdir()


def versions(parent: pathlib.Path) -> list[pathlib.Path]:
    """Returns the versions in a directory of exports, oldest first."""
    found = parent.iterdir() if parent.is_dir() else ()
    numbered = [path for path in found if re.fullmatch(r"[0-9]+", path.name)]
    return sorted(numbered, key=lambda path: int(path.name))


def newest_version(path: pathlib.Path) -> pathlib.Path:
    """Returns the newest version in a directory of exports; another path as it is.

    A run is no such directory, whatever folders it has.
    """
    published = versions(path)
    return published[-1] if published and not RunDirectory(path).config.is_file() else path


def next_version(parent: pathlib.Path) -> int:
    """Returns the next version number in a directory of exports, from 1."""
    return max((int(path.name) for path in versions(parent)), default=0) + 1


def publish_version(temporary: pathlib.Path, parent: pathlib.Path) -> pathlib.Path:
    """Renames a complete directory to the next free version number and returns its new path.

    Its files are flushed to disk first: a polling server sees a complete version or none.

    Args:
        temporary: The directory from `new_version`.
        parent: The directory of the versions.
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
    """Removes all versions but the newest, and returns the removed ones.

    A version is renamed before its files are deleted: a server never reads half of it.

    Args:
        parent: The directory of the versions.
        keep: Number of versions to keep, at least 1.
    """
    old = versions(parent)[:-keep]
    for version in old:
        gone = _beside(parent)
        rename_away(version, gone)
        shutil.rmtree(gone, ignore_errors=True)
    return old


def _unfinished_prefix(parent: pathlib.Path) -> str:
    """Returns the name prefix of directories that are not yet, or no longer, a version."""
    return f".unfinished-{parent.name}-"


def _beside(parent: pathlib.Path) -> pathlib.Path:
    """Creates an empty sibling of the directory of the versions, on the same file system."""
    return pathlib.Path(tempfile.mkdtemp(prefix=_unfinished_prefix(parent), dir=parent.parent))


def exported_before(run: RunDirectory, export_dir: str) -> pathlib.Path | None:
    """Returns the version that a run was exported to before it was interrupted, if any.

    Args:
        run: The run.
        export_dir: Folder of the exports, valid in the working directory.
    """
    if not run.metrics.is_file():
        return None
    recorded = read_metrics(run).export
    version = None if recorded is None else where_exported(recorded, export_dir)
    return version if version is not None and version.is_dir() else None


def where_exported(recorded: str, export_dir: str) -> pathlib.Path:
    """Returns the path of an export that was recorded in another working directory.

    Args:
        recorded: The path, perhaps relative to the directory in which the run was started.
        export_dir: Folder of the exports, valid in the working directory.
    """
    return pathlib.Path(export_dir, *pathlib.Path(recorded).parts[-2:])  # its name, its version
