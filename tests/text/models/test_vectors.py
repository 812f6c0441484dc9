import gzip
import random
import re

import numpy as np
import pytest

from tfxfer.errors import DataError
from tfxfer.text.models.vectors import read_vectors, vector_dimensions
from tfxfer.text.models.vocabulary import Vocabulary

WORDS = Vocabulary(("great", "film", "dull", "zzz"))
GLOVE = "film 1 2 3\nFilm 7 7 7\nGreat 4 5 6\n. . 0 0 1\ndull -1 0 1e-1\n"


def written(folder, content, name="vectors.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("header", ["", "5 3\n"])
@pytest.mark.parametrize("zipped", [False, True])
def test_all_text_forms_are_read_plain_and_gzipped(tmp_path, header, zipped):
    content = (header + GLOVE).encode()
    path = written(tmp_path, gzip.compress(content) if zipped else content)
    assert vector_dimensions(path) == 3
    found = read_vectors(path, WORDS, seed=0)
    assert found.found.tolist() == [True, True, True, False]
    expected = np.array([[4, 5, 6], [1, 2, 3], [-1, 0, 0.1]], np.float32)
    assert np.array_equal(found.matrix[:3], expected)
    again = read_vectors(path, WORDS, seed=0)
    assert np.array_equal(found.matrix, again.matrix)
    assert not np.array_equal(found.matrix, read_vectors(path, WORDS, seed=1).matrix)


def test_missing_words_are_like_the_rest(tmp_path):
    generator = np.random.default_rng(0)
    known = generator.normal([1, -2], [0.5, 3], (2000, 2))
    lines = "".join(f"w{n} {a} {b}\n" for n, (a, b) in enumerate(known))
    words = Vocabulary(tuple(f"w{n}" for n in range(4000)))
    found = read_vectors(written(tmp_path, lines), words, seed=3)
    drawn = found.matrix[2000:]
    assert np.allclose(drawn.mean(axis=0), [1, -2], atol=0.2)
    assert np.allclose(drawn.std(axis=0), [0.5, 3], rtol=0.1)


def test_the_coverage_is_told(tmp_path):
    found = read_vectors(written(tmp_path, GLOVE), WORDS, seed=0)
    assert re.search("3 of 4 words.* 90.0%", found.describe([10, 5, 3, 2]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no word vectors in text"),
        ("just words\n", "no word vectors in text"),
        (b"3 5\n\x00\x01\x02", "none of the words"),
        ("film 1 2\ngreat 1\n", "none of the words|Line 2"),
        ("film 1 2\ngreat 1 x\n", "Line 2 of '.*' does not have a word and 2 numbers"),
        ("film 1 2\ngreat nan 1\n", "Line 2"),
        ("other 1 2\n", "none of the words"),
        (b"\x1f\x8bcorrupt", "Cannot read the word vectors"),
    ],
)
def test_what_is_no_file_of_vectors_is_told(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_vectors(written(tmp_path, content), WORDS, seed=0)
    with pytest.raises(DataError, match="Cannot read"):
        vector_dimensions(tmp_path / "none.txt")


def test_mutated_files_are_read_or_refused(tmp_path):
    generator = random.Random(0)
    for _ in range(100):
        content = bytearray(
            gzip.compress(GLOVE.encode()) if generator.random() < 0.3 else GLOVE.encode()
        )
        for _ in range(generator.randint(1, 3)):
            content[generator.randrange(len(content))] = generator.choice(b"\0 \nx9\xff")
        try:
            found = read_vectors(written(tmp_path, bytes(content)), WORDS, seed=0)
        except DataError:
            continue
        assert np.isfinite(found.matrix).all()
