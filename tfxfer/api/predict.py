"""`predict` and `predict_shards`: classify image files, few or many."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tfxfer.api.modality import by_model
from tfxfer.config.paths import is_url, user_path
from tfxfer.data.image.dataset import BATCHES_AHEAD, Images
from tfxfer.data.image.order import Places
from tfxfer.data.image.readability import readable, reasons_unreadable
from tfxfer.data.remote.contents import in_blocks, named_files
from tfxfer.data.source import Split
from tfxfer.data.sources.channels import split_with_channels
from tfxfer.errors import UsageError
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.jobs.engines import Sharding, check_ray, run_here, run_on_ray
from tfxfer.inference.jobs.shards import Shards
from tfxfer.inference.loading import for_many, load
from tfxfer.inference.output import check_parquet, write_file
from tfxfer.inference.prediction import Prediction, doubt_of
from tfxfer.system import streams
from tfxfer.system.isolation import isolated
from tfxfer.system.progress import Progress

# How a job is divided by default.
_SHARDING = Sharding()


@isolated
@by_model
def predict(
    model: str | pathlib.Path,
    paths: Iterable[str | pathlib.Path],
    *,
    listed: Iterable[str | pathlib.Path] = (),
    top: int = 1,
    batch_size: int = 64,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Prediction]:
    """Classifies image files; yields a prediction for each, in the given order.

    A folder stands for all image files in it and its subfolders, sorted, and a pattern with `*`,
    `**` or `?` for all files that match. All of them may be URLs, such as s3://bucket/photos. An
    unreadable file yields a `Prediction` with an error, and the others are still classified.

    Args:
        model: A run's directory, a `.keras` file with `classes.txt` next to it, or a SavedModel
            published by `tfxfer export`.
        paths: Image files, folders and patterns.
        listed: More image files, never folders or patterns; a missing one counts as unreadable.
        top: Number of classes to rank, at most all of them; 1 for a multi-label model, which
            gives each file all labels whose probability is at least their threshold, and for a
            model of several tasks, which gives the class of each, or of a number.
        batch_size: Images per step; does not change the result.
        say: Called with each note on files that folders and patterns leave out.

    Yields:
        A `Prediction` with the path, the ranked classes with probabilities, and any error.

    Raises:
        UsageError: The model or a path does not exist, a folder has no images, or more classes are
            to be ranked of a multi-label model.
        DataError: What is at a URL cannot be read.

    Examples:
        >>> import tfxfer
        >>> for prediction in tfxfer.predict(  # doctest: +SKIP
        ...     "runs/photos", ["cat.jpg", "holiday/"], top=2
        ... ):
        ...     print(prediction.path, prediction.ranked)
        cat.jpg (('cat', 0.98), ('dog', 0.02))
    """
    files = named_files(paths, listed, say)
    trained = for_many(_loaded(model, top), len(files))
    # A batch is filled up to its size. Shards keep it, so that one graph serves all of them.
    return _answers(trained, files, top, min(batch_size, len(files)))


@by_model
def predict_shards(
    model: str | pathlib.Path,
    paths: Iterable[str | pathlib.Path],
    directory: str | pathlib.Path,
    *,
    listed: Iterable[str | pathlib.Path] = (),
    top: int = 1,
    batch_size: int = 64,
    sharding: Sharding = _SHARDING,
    say: Callable[[str], None] = lambda _: None,
) -> Shards:
    """Classifies image files, and writes the predictions as shards: Parquet files in a directory.

    A shard appears when it is complete. Called again, only missing shards are computed; their rows
    are those of one run.

    Args:
        model: As for `predict`.
        paths: As for `predict`.
        directory: New or empty, or that of the same job.
        listed: As for `predict`.
        top: As for `predict`.
        batch_size: As for `predict`.
        sharding: How the job is divided, and what computes it.
        say: Called with each note, and with what is left of a job that is resumed.

    Returns:
        The shards.

    Raises:
        UsageError: The model or a path does not exist, the directory has something else, or a
            package is missing.
        RunError: A shard failed; the others are finished.
    """
    check_parquet()
    if sharding.engine == "ray":
        check_ray()
    if is_url(os.fspath(directory)):
        raise UsageError(
            f"The shards cannot be written to '{directory}', a URL. Name a directory, and copy it "
            "there afterwards."
        )
    # Workers may have another current directory.
    found = named_files(paths, listed, say)
    files = [file if isinstance(file, str) else os.path.abspath(file) for file in found]
    model, folder = pathlib.Path(user_path(model)).absolute(), user_path(directory).absolute()
    shards = Shards.begun(folder, model, files, size=sharding.size, top=top)
    missing = shards.missing()
    if len(missing) < shards.count:
        say(f"{shards.count - len(missing):,} of {shards.count:,} shards are finished.")
    write = _Writer(shards, str(model), top, batch_size)
    if not missing:
        return shards
    if sharding.engine == "local":
        done = run_here(missing, write)
    else:
        workers = min(sharding.workers or os.cpu_count() or 1, len(missing))
        done = run_on_ray(missing, write, workers, sharding.address)
    with Progress("shards", len(missing)) as progress:
        for number, _ in enumerate(done, 1):
            progress.update(number)
    return shards


@dataclass(frozen=True)
class _Writer:
    """Computes and writes shards, in this process or in another one.

    The model is loaded with the first shard: its loading takes longer than a thousand small images.
    """

    shards: Shards
    model: str
    top: int
    batch_size: int

    @functools.cached_property
    def _trained(self) -> TrainedClassifier:
        return for_many(_loaded(self.model, self.top), len(self.shards.files))

    @isolated
    def __call__(self, number: int) -> None:
        named = self.shards.files_of(number)
        files = [file if is_url(file) else pathlib.Path(file) for file in named]
        found = _answers(self._trained, files, self.top, self.batch_size)
        write_file(found, "parquet", self.top, self.shards.path(number))


@by_model
def read_listed(model: str | pathlib.Path) -> list[str]:
    """Returns what standard input lists for a model: paths of image files.

    Args:
        model: As for `predict`.

    Raises:
        UsageError: Standard input cannot be read.
    """
    return streams.read_list()


def _loaded(model: str | pathlib.Path, top: int) -> TrainedClassifier:
    """Loads a model that is to rank so many classes; see `predict`."""
    trained = load(model)
    if top > 1 and trained.thresholds is not None:
        raise UsageError(
            f"'{model}' is multi-label: it predicts all labels whose probability is at least their "
            "threshold, however many these are. Leave --top out."
        )
    if top > 1 and trained.tasks is not None:
        raise UsageError(
            f"'{model}' has several tasks ({', '.join(trained.tasks.names)}): it predicts one "
            "class of each. Leave --top out."
        )
    if top > 1 and trained.outputs.number is not None:
        raise UsageError(
            f"'{model}' predicts the number '{trained.outputs.number.name}', and no classes. Leave "
            "--top out."
        )
    return trained


@isolated
def _answers(
    trained: TrainedClassifier, files: list[str | pathlib.Path], top: int, batch_size: int
) -> Iterator[Prediction]:
    """Yields the predictions of files."""
    like, done = _like(trained), 0
    with Progress("files", len(files)) as progress:
        for block in in_blocks(files):
            answers = _answers_of(trained, block.split, top, batch_size)
            for place, file in enumerate(block.files):
                reason = block.reasons.get(place)
                one = dataclasses.replace(like, error=reason) if reason else next(answers)
                yield dataclasses.replace(one, path=file)
                done += 1
                progress.update(done)


def _like(trained: TrainedClassifier) -> Prediction:
    """Returns a prediction of the kind of a model, of no file."""
    return Prediction(
        pathlib.Path(),
        (),
        has_several_labels=trained.thresholds is not None,
        tasks=trained.tasks.names if trained.tasks is not None else (),
        target="" if trained.outputs.number is None else trained.outputs.number.name,
    )


def _answers_of(
    trained: TrainedClassifier, split: Split, top: int, batch_size: int
) -> Iterator[Prediction]:
    """Yields the predictions of files, without their paths."""
    split = split_with_channels(split, trained.frame.channels)
    images = Images(split, trained.frame, memory_bytes=0)
    batches = readable(split, images.prepare).batch(batch_size).prefetch(BATCHES_AHEAD)
    like = _like(trained)
    following = 0  # the first file without a prediction
    for indices, squares in batches.as_numpy_iterator():
        # Fill the last batch: another shape would be compiled again.
        filled = squares
        if len(squares) < batch_size:
            filled = np.resize(squares, (batch_size, *squares.shape[1:]))
        probabilities, judged = trained.judge_squares(filled)
        for place, (index, row) in enumerate(zip(indices, probabilities, strict=False)):
            yield from _unreadable(split, following, index, like)
            following = index + 1
            if like.target:
                yield dataclasses.replace(like, value=float(row[0]))
                continue
            ranked = _rank(row, trained, top)
            doubt = None if judged is None else doubt_of(judged, place, row, trained.class_names)
            yield dataclasses.replace(like, ranked=ranked, doubt=doubt)
    yield from _unreadable(split, following, len(split), like)


def _unreadable(split: Split, first: int, end: int, like: Prediction) -> Iterator[Prediction]:
    """Yields a prediction with an error for each file from `first` to before `end`.

    Args:
        split: The files as a split.
        first: The first one.
        end: After the last one.
        like: A prediction of the same kind.
    """
    places = Places(np.arange(first, end))
    for reason in reasons_unreadable(split, places):
        yield dataclasses.replace(like, error=reason)


def _rank(
    probabilities: np.ndarray, trained: TrainedClassifier, top: int
) -> tuple[tuple[str, float], ...]:
    """Returns the most probable classes, all labels, or the class of each task.

    With their probabilities; ties go to the first.
    """
    if trained.tasks is not None:
        pairs = zip(trained.tasks.columns.values(), trained.tasks.classes, strict=True)
        places = [(own, probabilities[columns]) for columns, own in pairs]
        return tuple((own[shares.argmax()], float(shares.max())) for own, shares in places)
    order = np.argsort(-probabilities, kind="stable")
    if trained.thresholds is None:
        order = order[:top]
    else:
        order = order[trained.decisions(probabilities)[order]]
    return tuple((trained.class_names[index], float(probabilities[index])) for index in order)
