"""Image files in, ranked labels out."""

import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfxfer.errors import UsageError
from tfxfer.images import EXTENSIONS, decode_and_resize, readable_reason
from tfxfer.trained import load


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one file.

    Attributes:
        path: The image file.
        ranked: The most probable classes with their probabilities, the first one first; empty
            where the file could not be read.
        error: Why the file could not be read, or the empty string.
    """

    path: pathlib.Path
    ranked: tuple[tuple[str, float], ...]
    error: str = ""


def predict(
    model: str | pathlib.Path,
    paths: Iterable[str | pathlib.Path],
    *,
    top: int = 1,
    batch_size: int = 64,
) -> Iterator[Prediction]:
    """Yields what a run or a `.keras` file says of each image file, in the order given.

    A folder stands for the image files in it and below it, sorted. A file that cannot be read gives
    a `Prediction` with an error and does not keep the others back.

    Args:
        model: A run's directory, or a `.keras` file with `classes.txt` beside it.
        paths: Image files and folders.
        top: How many classes are ranked; at most all of them.
        batch_size: Images per step; no influence on the result.

    Raises:
        UsageError: The model is not there, a path does not exist, or a folder has no images.
    """
    files = [file for path in paths for file in _expand(pathlib.Path(path))]
    trained = load(model)
    for batch in _batched(files, batch_size):
        images, errors = [], {}
        for file in batch:
            try:
                encoded = tf.io.read_file(str(file))
                images.append(decode_and_resize(encoded, trained.input_size).numpy())
            except tf.errors.OpError as error:
                errors[file] = readable_reason(error)
        probabilities = iter(trained.model.predict_on_batch(np.stack(images)) if images else ())
        for file in batch:
            if file in errors:
                yield Prediction(file, (), errors[file])
            else:
                yield Prediction(file, _rank(next(probabilities), trained.class_names, top))


def _rank(
    probabilities: np.ndarray, class_names: tuple[str, ...], top: int
) -> tuple[tuple[str, float], ...]:
    """Returns the most probable classes with their probabilities; of equal ones the first wins."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    return tuple((class_names[index], float(probabilities[index])) for index in order)


def _expand(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns a file as it is, and the image files of a folder."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in EXTENSIONS)
        if not files:
            raise UsageError(f"The folder '{path}' has no {', '.join(EXTENSIONS)} files.")
        return files
    if not path.is_file():
        raise UsageError(f"There is no file '{path}'.")
    return [path]


def _batched(files: list[pathlib.Path], size: int) -> Iterator[list[pathlib.Path]]:
    return (files[start : start + size] for start in range(0, len(files), size))
