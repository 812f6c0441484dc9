"""Digests of content and of code."""

import ast
import functools
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

# 16 bytes: among 2**32 images the chance that two share an id is 1e-19.
ID_BYTES = 16

Ids = npt.NDArray[np.uint8]  # (num_rows, ID_BYTES)


def key_of(facts: Mapping[str, Any]) -> str:
    """Returns the key of an entry: a digest of everything that its rows depend on but the images.

    Args:
        facts: Names and values that JSON can write.
    """
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[: 2 * ID_BYTES]


def code_digest(*modules: str) -> str:
    """Returns a digest of the source of some modules, and of all of tfxfer that they import.

    Args:
        modules: Dotted names without the package's, such as "data.image.decoding".
    """
    return id_of(*(file.read_bytes() for file in sorted(_with_imports(frozenset(modules))))).hex()


@functools.cache
def _with_imports(modules: frozenset[str]) -> frozenset[pathlib.Path]:
    """Returns the files of modules and of all of this package that they import, by any path."""
    found: set[pathlib.Path] = set()
    waiting = [_file_of(name) for name in modules]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported_files(file)
    return frozenset(found)


def _imported_files(file: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files of this package that a file imports, within functions too."""
    nodes = ast.walk(ast.parse(file.read_bytes()))
    from_imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names = [
        f"{node.module}{name}".removeprefix("tfxfer.")
        for node in from_imports
        if f"{node.module}.".startswith("tfxfer.")
        for name in ("", *(f".{alias.name}" for alias in node.names))
    ]
    return [path for path in map(_file_of, names) if path.is_file()]


def _file_of(module: str) -> pathlib.Path:
    """Returns where the file of a module of this package is, if there is one of that name."""
    return pathlib.Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")


def id_of(*parts: bytes) -> bytes:
    """Returns the id of the content that the parts make up, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()[:ID_BYTES]


def ids_of(contents: Iterable[tuple[bytes, ...]]) -> Ids:
    """Returns the id of each content, as an array of them."""
    found = [id_of(*parts) for parts in contents]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, ID_BYTES)
