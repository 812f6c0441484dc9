"""`predict` on texts: classifies text files, and lines of standard input."""

import glob
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError
from tfxfer.inference.prediction import Prediction
from tfxfer.system import streams
from tfxfer.system.isolation import isolated
from tfxfer.system.progress import Progress
from tfxfer.text.data.encoding import encoded, undecoded
from tfxfer.text.data.folders import texts_in
from tfxfer.text.serving.loading import TrainedTexts, load_texts

# Texts that are in memory at once, in batches.
_BATCHES = 16


def predict(
    model: str | pathlib.Path,
    paths: Iterable[str | pathlib.Path],
    *,
    listed: Iterable[str | pathlib.Path] = (),
    top: int = 1,
    batch_size: int = 64,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Prediction]:
    """Classifies text files; yields a prediction for each, in the given order.

    A folder stands for all `.txt` files in it and its subfolders, and a pattern for all files that
    match. Bytes that are not UTF-8 make a word an unknown word. `listed` are texts, such as the
    lines of standard input; their "path" is "line 1" and so on.

    See `tfxfer.predict`.
    """
    files = [file for path in paths for file in _expand(user_path(path))]
    lines = [encoded(str(text)) for text in listed]
    return _answers(load_texts(model), files, lines, top, batch_size)


def predict_shards(model: str, *_: Any, **__: Any) -> NoReturn:
    """Raises a UsageError: only images are classified in shards.

    Args:
        model: The model.
    """
    raise UsageError(
        f"'{model}' is a model of texts, but --shards is for images. `tfxfer predict {model} "
        "FOLDER --format parquet --output FILE` writes one file."
    )


def read_listed(model: str | pathlib.Path) -> list[str]:
    """Returns the lines of standard input, each of which is a text.

    Args:
        model: As for `predict`.

    Raises:
        UsageError: Standard input cannot be read.
    """
    return lines_of(streams.read_input("texts"))


def lines_of(content: bytes) -> list[str]:
    r"""Returns the lines of a file of texts, blank ones too.

    Examples:
        >>> lines_of(b"good\r\n\nbad\n")
        ['good', '', 'bad']
    """
    lines = undecoded(content).split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _expand(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns a file itself, or the text files of a folder or a pattern."""
    if glob.has_magic(str(path)) and not path.exists():
        found = sorted(map(pathlib.Path, glob.glob(str(path), recursive=True)))
        found = [one for one in found if one.is_file()]
        if not found:
            raise UsageError(f"No file matches '{path}'.")
        return found
    return texts_in(path)


@isolated
def _answers(
    trained: TrainedTexts,
    files: list[pathlib.Path],
    lines: list[bytes],
    top: int,
    batch_size: int,
) -> Iterator[Prediction]:
    """Yields the predictions of files, then of lines."""
    count, block = len(files) + len(lines), batch_size * _BATCHES
    places: list[pathlib.Path | bytes] = [*files, *lines]
    with Progress("texts", count) as progress:
        for start in range(0, count, block):
            read = [_read(one) for one in places[start : start + block]]
            contents = [one for one in read if isinstance(one, bytes)]
            rows = iter(trained.predict(contents, batch_size))
            for number, one in enumerate(read, start=start):
                name = files[number] if number < len(files) else _line(number - len(files))
                if isinstance(one, bytes):
                    yield Prediction(name, _rank(next(rows), trained.class_names, top))
                else:
                    yield Prediction(name, (), str(one.strerror or one))
            progress.update(min(start + block, count))


def _line(number: int) -> pathlib.Path:
    return pathlib.Path(f"line {number + 1}")


def _read(one: pathlib.Path | bytes) -> bytes | OSError:
    """Returns the bytes of a text, without a byte order mark, or why it cannot be read."""
    if isinstance(one, bytes):
        return one
    try:
        return encoded(undecoded(one.read_bytes()))
    except OSError as error:
        return error


def _rank(
    probabilities: np.ndarray, class_names: tuple[str, ...], top: int
) -> tuple[tuple[str, float], ...]:
    """Returns the most probable classes with their probabilities; ties go to the first."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    return tuple((class_names[index], float(probabilities[index])) for index in order)
