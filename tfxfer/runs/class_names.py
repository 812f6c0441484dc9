"""The file of class names."""

import pathlib

from tfxfer.errors import UsageError
from tfxfer.system.files import replacing
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
