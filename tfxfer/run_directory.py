"""Where everything of a run lies, and how files get there whole."""

import contextlib
import errno
import glob
import itertools
import json
import os
import pathlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from tfxfer.errors import RunError, UsageError
from tfxfer.file_locks import owner, take_lock
from tfxfer.names import check_name
from tfxfer.notices import warn_once
from tfxfer.outputs import check_output, is_stream, why_unwritable
from tfxfer.paths import user_path

# Of an export: files that come along with it, and that a server leaves alone.
EXTRA_FOLDER = "assets.extra"

# Models in any of the forms in which they are written.
_MODEL_FILE = re.compile(r"\.(keras|h5|tflite|onnx)$")

# No export takes as long: what is older was left by one that was killed.
_LEFT_BEHIND_SECONDS = 24 * 3600

# What a file system says that lost data when it was told to flush them. Any other error is that of
# one that cannot: of directories many cannot, such as network shares and those of FUSE.
_LOST = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class RunDirectory:
    """The directory of one fit or pretraining, and the names of the files in it."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The resolved settings: a recipe that repeats the run."""
        return self.path / "config.toml"

    @property
    def asked(self) -> pathlib.Path:
        """What was asked for: a recipe of the settings that are not the defaults."""
        return self.path / "asked.toml"

    @property
    def splits(self) -> pathlib.Path:
        """Which example was in which split: a manifest, which `--data` takes."""
        return self.path / "splits.csv"

    @property
    def seen(self) -> pathlib.Path:
        """Which images the model has seen, by their content; see `seen`."""
        return seen_file(self.model)

    @property
    def places(self) -> pathlib.Path:
        """What the relative paths of the settings are relative to; see `places`."""
        return self.path / "places.json"

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
    def checkpoints(self) -> pathlib.Path:
        """The last states of the run, from which it goes on; there until the run is finished."""
        return self.path / "checkpoints"

    @property
    def lock(self) -> pathlib.Path:
        """There while a process works in the run; see `locked`."""
        return self.path / ".lock"

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
        """What came out, as JSON."""
        return self.path / "metrics.json"

    @property
    def evaluation(self) -> pathlib.Path:
        """How the model did on the split that judges it, as JSON, in full."""
        return self.path / "evaluation.json"

    @property
    def predictions(self) -> pathlib.Path:
        """What was said of each image of that split."""
        return self.path / "predictions.csv"

    @property
    def report(self) -> pathlib.Path:
        """The page that a person reads."""
        return self.path / "report.html"

    @property
    def model_card(self) -> pathlib.Path:
        """The model card, under the name by which the Hugging Face hub looks for it."""
        return self.path / "README.md"

    @property
    def is_new(self) -> bool:
        """Whether nothing of a run is there yet: no directory, or one with nothing but a lock."""
        return not self.path.exists() or (
            self.path.is_dir() and all(path == self.lock for path in self.path.iterdir())
        )

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end; what it goes on from is removed last."""
        return self.metrics.is_file() and not self.checkpoints.exists()

    @property
    def is_interrupted(self) -> bool:
        """Whether the run has begun and not come to its end."""
        return self.config.is_file() and not self.is_finished


def start_run(
    run: RunDirectory, settings: str, class_names: tuple[str, ...], asked: str | None = None
) -> None:
    """Makes the directory of a run with its settings, a TOML text, and its class names.

    What was asked for, another TOML text, stays what it was where the run was begun before.

    Raises:
        RunError: It cannot be made.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"Cannot make the run '{run.path}': {error.strerror}.") from error
    if asked is not None and not run.asked.is_file():
        with replacing(run.asked) as temporary:
            temporary.write_text(asked, encoding="utf-8")
    with replacing(run.config) as temporary:
        temporary.write_text(settings, encoding="utf-8")
    write_class_names(run.classes, class_names)


def files_of_model(model: str | pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that a model is read from, which no output may replace.

    Args:
        model: A run's directory, a `.keras` file, or a SavedModel; it need not be there.
    """
    path = pathlib.Path(model)
    if (path / "saved_model.pb").is_file():
        return [file for file in path.rglob("*") if file.is_file()]
    run = RunDirectory(path)
    of_run = [run.config, run.asked, run.model, run.classes, run.metrics, run.splits, run.history]
    return [path, classes_file(path), *of_run]


def classes_file(model: pathlib.Path) -> pathlib.Path:
    """Returns where the class names of a `model.keras` lie: beside it."""
    return model.with_name("classes.txt")


def seen_file(model: pathlib.Path) -> pathlib.Path:
    """Returns where the record of what a `model.keras` has seen lies: beside it."""
    return model.with_name(f"{model.stem}.seen.npz")


def exported_seen_file(version: pathlib.Path) -> pathlib.Path:
    """Returns where this record lies in a version of an export."""
    return version / EXTRA_FOLDER / "seen.npz"


def write_class_names(path: pathlib.Path, class_names: tuple[str, ...]) -> None:
    """Writes class names, one per line."""
    with replacing(path) as temporary:
        temporary.write_text(class_lines(class_names), encoding="utf-8", newline="\n")


def class_lines(class_names: tuple[str, ...]) -> str:
    """Returns class names as lines of text, which `read_class_names` reads.

    A name that a line cannot hold, or that editors and other readers would change, stands as JSON
    writes it: one with a control character or a line break of any kind, with white space at an end,
    or that begins with a quote or a byte-order mark.
    """

    def line(name: str) -> str:
        plain = (
            name == name.strip()
            and not name.startswith(('"', "\ufeff"))
            and name.splitlines() == [name]
            and not re.search(r"[\0-\x1f\x7f-\x9f]", name)
        )
        return name if plain else json.dumps(name)

    return "".join(f"{line(name)}\n" for name in class_names)


def parse_class_lines(text: str) -> list[str]:
    """Returns the class names that `class_lines` made a text of.

    Raises:
        ValueError: A line begins with a quote, but is no JSON.
    """
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    return [json.loads(line) if line.startswith('"') else line for line in lines]


def read_class_names(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the class names that `write_class_names` wrote.

    Raises:
        UsageError: There is no such file, or it is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise UsageError(
            f"There is no '{path}' with the names of the model's classes, one per line, in the "
            "order of its outputs."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"'{path}' is not UTF-8 text: save it as UTF-8.") from None
    try:
        return tuple(parse_class_lines(text))
    except ValueError:
        raise UsageError(
            f"A line of '{path}' begins with a quote, but is no text as JSON writes it."
        ) from None


def is_work(path: pathlib.Path) -> bool:
    """Tells whether a directory is a result of tfxfer: a run, export, model or cache entry.

    It is told by what is in it, whatever its name, and whether it is finished or not.
    """
    run = RunDirectory(path)
    if run.config.is_file():
        told = (run.classes, run.metrics, run.asked, run.history, run.best_weights)
        return any(file.is_file() for file in told) or run.checkpoints.is_dir()
    if (path / "saved_model.pb").is_file():
        return True
    others = [run.classes.name, "index.npz", run.lock.name]
    known = [name for name in others if (path / name).is_file()]
    if not known:
        return False
    names = os.listdir(path)
    if run.classes.name in known and any(_MODEL_FILE.search(name) for name in names):
        return True
    if "index.npz" in known and any(re.fullmatch(r"rows-.*\.npy", name) for name in names):
        return True
    # Begun a moment ago, or when it was killed.
    return run.lock.name in known and all(name[0] == "." for name in names)


def open_run(path: str | pathlib.Path) -> RunDirectory:
    """Returns a finished run.

    Raises:
        UsageError: The directory is no run, or its fit did not come to an end.
    """
    run = RunDirectory(user_path(path))
    if not run.config.is_file():
        raise UsageError(f"'{path}' is not a run: it has no '{run.config.name}'.")
    if not run.model.is_file():
        raise UsageError(f"The run '{path}' did not finish: it has no '{run.model.name}'.")
    return run


def named_run(runs_dir: str, name: str) -> RunDirectory:
    """Returns the directory of a run that the user named: new, or one that was interrupted.

    Raises:
        UsageError: The name is no plain name, or there is something else of that name.
    """
    check_run_name(name)
    run = RunDirectory(pathlib.Path(runs_dir, name))
    if not run.is_new and not run.is_interrupted:
        raise UsageError(
            f"The run '{run.path}' exists already. Choose another --run, or remove it."
        )
    return run


def check_run_name(name: str) -> None:
    """Raises a UsageError unless a run may have this name."""
    check_name(name, "run", "--runs-dir")


def numbered_run(runs_dir: str, name: str, same: Callable[[RunDirectory], bool]) -> RunDirectory:
    """Returns the first of the runs `name`, `name-2`, ... that is new or can be gone on with.

    Args:
        runs_dir: Where runs are.
        name: What the settings suggest.
        same: Tells of an interrupted run whether it is of the same settings.
    """
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    runs = (RunDirectory(pathlib.Path(runs_dir, candidate)) for candidate in names)
    return next(
        run
        for run in runs
        if (run.is_new and _holder(run) is None) or (run.is_interrupted and same(run))
    )


def run_to_resume(path: str | pathlib.Path) -> RunDirectory:
    """Returns a run that the user wants to go on with, finished or not.

    Raises:
        UsageError: The directory is no run.
    """
    run = RunDirectory(user_path(path))
    if run.path.name in ("", ".."):  # "." and ".." have no name of their own
        run = RunDirectory(run.path.resolve())
    if not run.config.is_file():
        raise UsageError(
            f"Cannot resume '{path}': it is not a run, as it has no '{run.config.name}'."
        )
    return run


@contextlib.contextmanager
def locked(run: RunDirectory) -> Iterator[None]:
    """Keeps other processes out of a run, and makes its directory.

    The system drops the lock when the process ends, however it ends: no stale lock stays. A
    directory in which nothing was written is removed again, with those it was made in.

    Raises:
        UsageError: Another process has the run.
        RunError: The directory cannot be made.
    """
    made = [path for path in (run.path, *run.path.parents) if not path.exists()] or [run.path]
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        file = _take_lock(run)
    except OSError as error:
        raise RunError(f"Cannot make the run '{run.path}': {error.strerror}.") from error
    if file is None:
        raise UsageError(
            f"Another process is working on the run '{run.path}': {_holder(run) or 'just ended'}. "
            "Wait for it, or choose another --run."
        )
    with file:
        remove_half_written(run.path)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows removes no file that is open
                run.lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for path in made:
                    path.rmdir()


def _take_lock(run: RunDirectory) -> IO[str] | None:
    """Returns the open file that holds the lock of a run, None where another process has it."""
    while True:
        file = run.lock.open("a+", encoding="utf-8")
        if not take_lock(file):
            file.close()
            return None
        try:
            # Between the two calls the one who had it may have ended, and removed the file.
            if os.fstat(file.fileno()).st_ino == os.stat(run.lock).st_ino:
                file.truncate(0)
                file.write(owner())
                file.flush()
                return file
        except FileNotFoundError:
            pass
        file.close()


def _holder(run: RunDirectory) -> str | None:
    """Returns which process works on a run, None where none does."""
    with contextlib.suppress(OSError), run.lock.open(encoding="utf-8") as file:
        if not take_lock(file, shared=True):
            file.seek(0)
            return file.read() or "a process that has just begun"
    return None


def check_writable(directory: str | pathlib.Path, setting: str) -> None:
    """Raises a UsageError unless files can be made in the directory, there or yet to be made.

    Args:
        directory: Where results are to go.
        setting: The setting that says so, for the message.
    """
    path = user_path(directory).absolute()
    try:
        path.is_dir()
        existing = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
        usable = existing.is_dir()
        problem = why_unwritable(existing) if usable else f"'{existing}' is not a directory"
    except (OSError, ValueError) as error:  # too long a name, one with a NUL
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        option = "--" + setting.replace("_", "-")
        raise UsageError(f"Cannot write to '{directory}': {problem}. Choose another {option}.")


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, of the same suffix, that takes its place at the end.

    The file is flushed to the disk before it is renamed, so that `path` holds either what it held
    or all of the new content. After an error nothing is left.
    """
    # See `remove_half_written`; threads of one process may write the same file, too.
    temporary = path.with_name(f".{os.getpid()}.{threading.get_ident()}.{path.name}")
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"Cannot write '{path}': {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_half_written(directory: pathlib.Path) -> None:
    """Removes what processes that were killed left of files they were replacing.

    Only where no other process may be writing: it cannot be told from what one has just begun.
    """
    for path in directory.glob(".*"):
        if re.match(r"\.[0-9]+\.", path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def remove_at_once(directory: pathlib.Path) -> None:
    """Removes a directory: it is there with all its files or, from one moment to the next, gone."""
    if directory.exists():
        gone = directory.with_name(f".{os.getpid()}.{directory.name}")
        _rename_away(directory, gone)
        shutil.rmtree(gone, ignore_errors=True)


def _rename_away(directory: pathlib.Path, gone: pathlib.Path) -> None:
    """Renames a directory that is to be removed, or removes it where it cannot be renamed.

    Overlay file systems, those of containers, do not rename the directories of their lower layers.
    """
    try:
        directory.rename(gone)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def replacing_named(path: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """Does what `replacing` does, of a file that the user named; see `outputs.check_output`.

    What a link leads to is replaced, and a device or a pipe written to as it is.

    Raises:
        UsageError: It cannot be written.
        RunError: It could, but not any more.
    """
    check_output(path)
    path = user_path(path)
    if is_stream(path):
        try:
            yield path
        except OSError as error:
            raise RunError(f"Cannot write '{path}': {error.strerror or error}.") from error
    else:
        with replacing(path.resolve() if path.is_symlink() else path) as temporary:
            yield temporary


def write_text(path: str | pathlib.Path, text: str) -> None:
    """Writes a file that the user named; characters of file names that are no UTF-8 stay.

    Raises:
        UsageError: There is no directory for it, or it is a directory.
    """
    with replacing_named(path) as temporary:
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
        _rename_away(version, gone)
        shutil.rmtree(gone, ignore_errors=True)
    return old


def _unfinished_prefix(parent: pathlib.Path) -> str:
    """Returns how the names of directories begin of what is no version yet, or no more."""
    return f".unfinished-{parent.name}-"


def _beside(parent: pathlib.Path) -> pathlib.Path:
    """Returns a new empty directory beside that of the versions, on the same file system."""
    return pathlib.Path(tempfile.mkdtemp(prefix=_unfinished_prefix(parent), dir=parent.parent))


def flush(path: pathlib.Path) -> None:
    """Has the system write a file, or the names in a directory, to the disk.

    A file system that cannot is told of once, and the work goes on.

    Raises:
        OSError: There is no such file, or its content could not be written.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        if not path.is_dir():
            raise
        return  # Windows opens no directory, and others not without the permission to list it
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _LOST:
            raise
        what = "directories" if path.is_dir() else "files"
        warn_once(
            f"flush {what} {os.fstat(descriptor).st_dev}",
            f"The file system of '{path.parent}' does not flush {what} to the disk "
            f"({error.strerror}). The work goes on; after a crash of the machine what was written "
            "last may be missing there.",
        )
    finally:
        os.close(descriptor)
