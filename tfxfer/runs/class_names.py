"""The files on a model's outputs: the names of the classes, and the thresholds of labels."""

import json
import pathlib
from collections.abc import Sequence

from tfxfer.errors import UsageError
from tfxfer.system.files import replacing, write_json
from tfxfer.system.names import class_lines, parse_class_lines


def write_class_names(path: pathlib.Path, class_names: tuple[str, ...]) -> None:
    """Writes class names, one per line."""
    with replacing(path) as temporary:
        temporary.write_text(class_lines(class_names), encoding="utf-8", newline="\n")


def read_class_names(path: pathlib.Path) -> tuple[str, ...]:
    """Reads the class names written by `write_class_names`.

    Args:
        path: A `classes.txt`.

    Raises:
        UsageError: The file is missing, is not UTF-8, or has an invalid line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise UsageError(
            f"There is no '{path}'. Write the model's class names there, one per line, in the "
            "order of its outputs."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"'{path}' is not UTF-8 text. Save it as UTF-8.") from None
    try:
        return tuple(parse_class_lines(text))
    except ValueError:
        raise UsageError(
            f"A line of '{path}' starts with a quote, but is not a valid JSON string."
        ) from None


def write_thresholds(
    path: pathlib.Path, class_names: tuple[str, ...], thresholds: Sequence[float]
) -> None:
    """Writes the threshold of each label, as a JSON object.

    Args:
        path: A `thresholds.json`.
        class_names: The labels, in the order of the model's outputs.
        thresholds: Of each label, (num_labels,).
    """
    write_json(path, dict(zip(class_names, map(float, thresholds), strict=True)))


def read_thresholds(path: pathlib.Path, class_names: tuple[str, ...]) -> list[float] | None:
    """Returns the threshold of each label, in the order of the class names.

    Args:
        path: A `thresholds.json`.
        class_names: The labels, in the order of the model's outputs.

    Returns:
        None if there is no such file.

    Raises:
        UsageError: The file is not JSON, or lacks a label.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        return [float(content[name]) for name in class_names]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"'{path}' is not a JSON object with a number for each label of the model: "
            f"{type(error).__name__}: {error}. Correct it, or remove it for thresholds of 0.5."
        ) from None
