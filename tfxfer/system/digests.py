"""Digests of content and of code."""

import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

# An import in the layout of the formatter: its module, and the names. To parse a hundred files
# takes a third of a second.
_IMPORT = re.compile(r"^ *from (tfxfer(?:\.\w+)*) import (\([^)]*\)|.*)$", re.MULTILINE)
_WORD = re.compile(r"\w+")

# 16 bytes: among 2**32 images the probability of a collision is 1e-19.
ID_BYTES = 16

Ids = npt.NDArray[np.uint8]  # (num_rows, ID_BYTES)


def key_of(facts: Mapping[str, Any]) -> str:
    """Returns the key of a cache entry: a digest of all that its rows depend on but the images.

    Args:
        facts: Names and JSON-serializable values.
    """
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[: 2 * ID_BYTES]


def code_digest(*modules: str) -> str:
    """Returns a digest of the source code of modules and of all tfxfer modules they import.

    Args:
        *modules: Dotted names without the package, such as "data.image.decoding".
    """
    return id_of(*(file.read_bytes() for file in sorted(_with_imports(frozenset(modules))))).hex()


@functools.cache
def _with_imports(modules: frozenset[str]) -> frozenset[pathlib.Path]:
    """Returns the files of modules and of all tfxfer modules they import, transitively."""
    found: set[pathlib.Path] = set()
    waiting = [_file_of(name) for name in modules]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported_files(file)
    return frozenset(found)


def _imported_files(file: pathlib.Path) -> list[pathlib.Path]:
    """Returns the tfxfer files that a file imports, including imports within functions."""
    names = [
        f"{module}{name}".removeprefix("tfxfer.")
        for module, imported in _IMPORT.findall(file.read_text("utf-8"))
        for name in ("", *(f".{word}" for word in _WORD.findall(imported)))
    ]
    return [path for path in map(_file_of, names) if path.is_file()]


def _file_of(module: str) -> pathlib.Path:
    """Returns the path of the file of a tfxfer module; it may not exist."""
    return pathlib.Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")


def id_of(*parts: bytes) -> bytes:
    """Returns the digest of the concatenated parts, in this order; 16 bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()[:ID_BYTES]


def ids_of(contents: Iterable[tuple[bytes, ...]]) -> Ids:
    """Returns the digest of each content, uint8, (num_contents, 16)."""
    found = [id_of(*parts) for parts in contents]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, ID_BYTES)
