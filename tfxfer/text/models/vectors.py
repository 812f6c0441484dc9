"""Word vectors of others, as the initial word embeddings: GloVe, word2vec text, fastText .vec."""

import gzip
import pathlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tfxfer.errors import DataError
from tfxfer.text.models.vocabulary import START, Vocabulary

_GZIP = b"\x1f\x8b"

# What the seed of a run is used for here.
_MISSING = 21


@dataclass(frozen=True)
class WordVectors:
    """The vectors of the words of a vocabulary.

    Attributes:
        matrix: Shape (num_words, dimensions); rows of words that the file lacks are drawn at random
            with the mean and standard deviation of the others.
        found: Whether the file has each word, (num_words,).
    """

    matrix: npt.NDArray[np.float32]
    found: npt.NDArray[np.bool_]

    def describe(self, counts: Sequence[int]) -> str:
        """Returns how much of the vocabulary the file covers.

        Args:
            counts: How often each word occurs in the training texts.
        """
        share = float(np.average(self.found, weights=counts)) if sum(counts) else 0.0
        return (
            f"cover {int(self.found.sum()):,} of {len(self.found):,} words, "
            f"{share:.1%} of their occurrences"
        )

    def place(self, network: Any) -> None:
        """Makes the vectors the embeddings of a backbone, and that of START their mean."""
        layer = network.get_layer("embedding")
        (table,) = layer.get_weights()
        table[START + 1 :] = self.matrix
        table[START] = self.matrix.mean(axis=0)
        layer.set_weights([table])


def vector_dimensions(path: pathlib.Path) -> int:
    """Returns the number of dimensions of the vectors in a file.

    Raises:
        DataError: It cannot be read, or holds no word vectors.
    """
    with _opened(path) as file:
        return _dimensions(_first_line(file, path), path)


def read_vectors(path: pathlib.Path, vocabulary: Vocabulary, seed: int) -> WordVectors:
    """Returns the vectors of the words of a vocabulary.

    A word is found under its own spelling, or else under the first that differs in case.

    Args:
        path: Text with a word and its numbers in each line, perhaps gzipped; a first line with the
            number of words and of dimensions, as word2vec and fastText write it, is allowed.
        vocabulary: The words.
        seed: Of the vectors of missing words.

    Raises:
        DataError: The file cannot be read, holds something else, or has none of the words.
    """
    places = {word: place for place, word in enumerate(vocabulary.words)}
    exact = np.zeros(len(places), np.bool_)
    found = np.zeros(len(places), np.bool_)
    dimensions = vector_dimensions(path)
    matrix = np.zeros((len(places), dimensions), np.float32)
    for number, line in enumerate(_lines(path), start=1):
        word, *numbers = line.rsplit(" ", dimensions)
        if number == 1 and _is_header(line):
            continue
        is_exact = word in places
        place = places.get(word if is_exact else word.lower())
        if place is None or exact[place] or (found[place] and not is_exact):
            continue
        matrix[place] = _numbers(numbers, dimensions, f"Line {number} of '{path}'")
        found[place], exact[place] = True, is_exact
    if not found.any():
        raise DataError(f"The word vectors '{path}' have none of the words of the texts.")
    missing = int((~found).sum())
    random = np.random.default_rng((seed, _MISSING))
    mean, std = matrix[found].mean(axis=0), matrix[found].std(axis=0)
    matrix[~found] = random.normal(mean, std, (missing, dimensions))
    return WordVectors(matrix, found)


def _numbers(written: Sequence[str], dimensions: int, where: str) -> npt.NDArray[np.float32]:
    """Returns the numbers of a line.

    Raises:
        DataError: There are fewer or more, or one is no finite number.
    """
    try:
        values = np.array(written, np.float32)
    except ValueError:
        values = np.zeros(0, np.float32)
    if values.shape != (dimensions,) or not np.isfinite(values).all():
        raise DataError(f"{where} does not have a word and {dimensions} numbers.")
    return values


def _lines(path: pathlib.Path) -> Iterator[str]:
    """Yields the lines of a file, without white space at their ends."""
    with _opened(path) as file:
        try:
            for line in file:
                yield line.decode("utf-8", "replace").rstrip()
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"Cannot read the word vectors '{path}': {error}.") from None


def _opened(path: pathlib.Path) -> IO[bytes]:
    try:
        with path.open("rb") as file:
            start = file.read(2)
        return gzip.open(path) if start == _GZIP else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise DataError(f"Cannot read the word vectors '{path}': {error.strerror}.") from None


def _first_line(file: IO[bytes], path: pathlib.Path) -> str:
    try:
        line = file.readline(1 << 20)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"Cannot read the word vectors '{path}': {error}.") from None
    return line.decode("utf-8", "replace").rstrip()


def _is_header(line: str) -> bool:
    """Tells whether a first line has the number of words and of dimensions."""
    parts = line.split()
    return len(parts) == 2 and all(part.isdecimal() for part in parts)


def _dimensions(line: str, path: pathlib.Path) -> int:
    """Returns the number of dimensions, by the first line of a file."""
    parts = line.split(" ")
    dimensions = int(line.split()[1]) if _is_header(line) else len(parts) - 1
    try:
        if not _is_header(line):
            _numbers(parts[1:], dimensions, "")
        known = 1 <= dimensions <= 4096
    except DataError:
        known = False
    if not known:
        raise DataError(
            f"'{path}' has no word vectors in text format: a line is a word and its numbers, "
            "separated by spaces. Binary files of word2vec must be saved as text first."
        )
    return dimensions
