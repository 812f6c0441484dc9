"""Reading the JSON files of a preset or a directory of transformers, and its license."""

import json
import pathlib
import re
from typing import Any

from tfxfer.errors import UsageError

# Far more than a configuration has; the largest that KerasHub writes are some 10 kB.
_MEGABYTE = 1_000_000


def read_json(path: pathlib.Path, most_megabytes: int = 1) -> dict[str, Any]:
    """Returns a table from a JSON file.

    Args:
        path: Of the file.
        most_megabytes: The largest size that is read.

    Raises:
        UsageError: There is no such file, or it is not JSON, not a table, or too large.
    """
    try:
        with path.open("rb") as file:
            text = file.read(most_megabytes * _MEGABYTE + 1)
    except OSError as error:
        raise UsageError(f"Cannot read '{path}' of a preset: {error.strerror or error}.") from None
    if len(text) > most_megabytes * _MEGABYTE:
        raise UsageError(
            f"Cannot read '{path}' of a preset: it is larger than {most_megabytes} MB."
        )
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"Cannot read '{path}' of a preset: it is not a JSON file.") from None
    if not isinstance(found, dict):
        raise UsageError(f"Cannot read '{path}' of a preset: it holds no table.")
    return found


def read_license(folder: pathlib.Path) -> str | None:
    """Returns the license that the front matter of a preset's README.md names; None without."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MEGABYTE)
    except OSError:
        return None
    matter = re.match(r"---\n(.*?\n)---\n", text, re.DOTALL)
    found = (
        re.search(r"^license: *[\"']?([\w.+ -]{1,60}?)[\"']? *$", matter[1], re.M)
        if matter
        else None
    )
    return found[1] if found else None
