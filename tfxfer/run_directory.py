"""Where everything of a run lies, and how files get there whole."""

import contextlib
import glob
import itertools
import json
import os
import pathlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tfxfer.errors import RunError, UsageError

# No export takes as long: what is older was left by one that was killed.
_LEFT_BEHIND_SECONDS = 24 * 3600


@dataclass(frozen=True)
class RunDirectory:
    """The directory of one fit or pretraining, and the names of the files in it."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The resolved settings: a recipe that repeats the run."""
        return self.path / "config.toml"

    @property
    def splits(self) -> pathlib.Path:
        """Which example was in which split: a manifest, which `--data` takes."""
        return self.path / "splits.csv"

    @property
    def skipped(self) -> pathlib.Path:
        """Which images were left out because they cannot be read; only there if some were."""
        return self.path / "skipped.csv"

    @property
    def history(self) -> pathlib.Path:
        """One row per epoch."""
        return self.path / "history.csv"

    @property
    def events(self) -> pathlib.Path:
        """TensorBoard's event files, in one directory per split."""
        return self.path / "tensorboard"

    @property
    def best_weights(self) -> pathlib.Path:
        """Weights of the epoch that was best on validation."""
        return self.path / "best.weights.h5"

    @property
    def checkpoint(self) -> pathlib.Path:
        """The last epoch's weights and optimizer; there until the run is finished."""
        return self.path / "checkpoint.weights.h5"

    @property
    def backbone(self) -> pathlib.Path:
        """A pretrained backbone for plain Keras: images in, feature maps out."""
        return self.path / "backbone.keras"

    @property
    def card(self) -> pathlib.Path:
        """What the backbone was trained on and how, for people."""
        return self.path / "backbone.md"

    @property
    def model(self) -> pathlib.Path:
        """The classifier for plain Keras: RGB in [0, 255] in, probabilities out."""
        return self.path / "model.keras"

    @property
    def classes(self) -> pathlib.Path:
        """Class names, one per line, in the order of the model's outputs."""
        return classes_file(self.model)

    @property
    def metrics(self) -> pathlib.Path:
        """What came out, as JSON; written last, so a run that has it is complete."""
        return self.path / "metrics.json"


def start_run(run: RunDirectory, settings: str, class_names: tuple[str, ...]) -> None:
    """Makes the directory of a run with its settings, a TOML text, and its class names.

    Raises:
        RunError: It cannot be made.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"Cannot make the run '{run.path}': {error.strerror}.") from error
    with replacing(run.config) as temporary:
        temporary.write_text(settings, encoding="utf-8")
    write_class_names(run.classes, class_names)


def classes_file(model: pathlib.Path) -> pathlib.Path:
    """Returns where the class names of a `model.keras` lie: beside it."""
    return model.with_name("classes.txt")


def write_class_names(path: pathlib.Path, class_names: tuple[str, ...]) -> None:
    """Writes class names, one per line."""
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")


def read_class_names(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the class names that `write_class_names` wrote.

    Raises:
        UsageError: There is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise UsageError(f"There is no '{path}' with the names of the model's classes.") from None
    return tuple(text.removesuffix("\n").split("\n"))


def open_run(path: str | pathlib.Path) -> RunDirectory:
    """Returns a finished run.

    Raises:
        UsageError: The directory is no run, or its fit did not come to an end.
    """
    run = RunDirectory(pathlib.Path(path))
    if not run.config.is_file():
        raise UsageError(f"'{path}' is not a run: it has no '{run.config.name}'.")
    if not run.model.is_file():
        raise UsageError(f"The run '{path}' did not finish: it has no '{run.model.name}'.")
    return run


def named_run(runs_dir: str, name: str) -> RunDirectory:
    """Returns the directory of a new run that the user named, without making it.

    Raises:
        UsageError: The name is no plain name, or a run of that name exists.
    """
    check_run_name(name)
    path = pathlib.Path(runs_dir, name)
    if path.exists():
        raise UsageError(f"The run '{path}' exists already. Choose another --run, or remove it.")
    return RunDirectory(path)


def check_run_name(name: str) -> None:
    """Raises a UsageError unless a run may have this name."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(
            f"Setting 'run' is {name!r}; it must be a plain name of letters, digits, '-', '_' and "
            f"'.'. Choose where runs go with --runs-dir."
        )


def numbered_run(runs_dir: str, name: str) -> RunDirectory:
    """Returns the directory of a new run, `name` or the first free of `name-2`, `name-3`, ..."""
    return next(run for run in _numbered(runs_dir, name) if not run.path.exists())


def unfinished_run(
    runs_dir: str, named: str | None, default_name: str, settings: Callable[[str], str]
) -> RunDirectory:
    """Returns the run of the same settings that was interrupted or, where there is none, a new one.

    Args:
        runs_dir: Where runs are.
        named: The name the user gave; None looks at all whose name begins with the default one.
        default_name: Numbered where it is taken, as by `numbered_run`.
        settings: From the name of a run to what its `config.toml` would hold.

    Raises:
        UsageError: The run that the user named is finished, or has other settings.
    """
    if named is None:
        runs = _numbered(runs_dir, default_name)
        return next(run for run in runs if not run.path.exists() or _unfinished(run, settings))
    run = RunDirectory(pathlib.Path(runs_dir, named))
    if not run.path.exists() or _unfinished(run, settings):
        return run
    if run.metrics.is_file() or not run.config.is_file():
        return named_run(runs_dir, named)  # which says that it exists
    theirs, ours = run.config.read_text("utf-8").splitlines(), settings(named).splitlines()
    differing = next(line for line in [*theirs, *ours] if (line in theirs) != (line in ours))
    raise UsageError(
        f"The run '{run.path}' was interrupted, but its settings are not these: "
        f"'{differing.partition(' = ')[0]}' differs. Give the settings of '{run.config}' to go on "
        "with it, or choose another --run."
    )


def _unfinished(run: RunDirectory, settings: Callable[[str], str]) -> bool:
    return (
        run.config.is_file()
        and not run.metrics.is_file()
        and run.config.read_text("utf-8") == settings(run.path.name)
    )


def _numbered(runs_dir: str, name: str) -> Iterator[RunDirectory]:
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return (RunDirectory(pathlib.Path(runs_dir, candidate)) for candidate in names)


def check_writable(directory: str | pathlib.Path, setting: str) -> None:
    """Raises a UsageError unless files can be made in the directory, there or yet to be made.

    Args:
        directory: Where results are to go.
        setting: The setting that says so, for the message.
    """
    path = pathlib.Path(directory).absolute()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    problem = None
    if not existing.is_dir():
        problem = f"'{existing}' is not a directory"
    elif not os.access(existing, os.W_OK | os.X_OK):
        problem = f"no permission to write in '{existing}'"
    if problem:
        option = "--" + setting.replace("_", "-")
        raise UsageError(f"Cannot write to '{directory}': {problem}. Choose another {option}.")


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, of the same suffix, that takes its place at the end.

    The file is flushed to the disk before it is renamed, so that `path` holds either what it held
    or all of the new content. After an error nothing is left.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"Cannot write '{path}': {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | pathlib.Path, text: str) -> None:
    """Writes a file that the user named; characters of file names that are no UTF-8 stay.

    Raises:
        UsageError: There is no directory for it, or it is a directory.
    """
    path = pathlib.Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"Cannot write '{path}': it is no file in a directory that is there.")
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8", "surrogateescape")


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes JSON that a person can read."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_metrics(run: RunDirectory) -> dict[str, Any]:
    """Returns what came out of a run.

    Raises:
        UsageError: It does not say, or not what can be read.
    """
    try:
        return dict(json.loads(run.metrics.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"Cannot read '{run.metrics}', which the fit leaves: {error}.") from None


@contextlib.contextmanager
def new_version(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty directory for a new version of an export; see `publish_version`.

    It lies beside the directory of the versions, which so holds whole ones only, whenever the
    process is killed. What others left when they were killed is removed after a day.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.parent.glob(f"{glob.escape(_unfinished_prefix(parent))}*"):
        with contextlib.suppress(OSError):  # another one may be removing it, too
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                shutil.rmtree(left)
    temporary = _beside(parent)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
        _flush(path)
    temporary.chmod(0o755)  # mkdtemp's 0700 would keep a server of another user out
    while True:
        version = parent / str(next_version(parent))
        try:
            temporary.rename(version)
        except OSError:
            if not version.exists():  # else another export took the number first: take the next
                raise
        else:
            _flush(parent)
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
        version.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    return old


def _unfinished_prefix(parent: pathlib.Path) -> str:
    """Returns how the names of directories begin of what is no version yet, or no more."""
    return f".unfinished-{parent.name}-"


def _beside(parent: pathlib.Path) -> pathlib.Path:
    """Returns a new empty directory beside that of the versions, on the same file system."""
    return pathlib.Path(tempfile.mkdtemp(prefix=_unfinished_prefix(parent), dir=parent.parent))


def _flush(path: pathlib.Path) -> None:
    """Has the system write a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
