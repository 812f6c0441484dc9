"""Names of runs and exports, valid as a folder, on a model server, in a URL and in a shell."""

import json
import os
import pathlib
import re
import shlex
import unicodedata
import urllib.parse

from tfxfer.errors import UsageError

# Letters and digits of any script. No spaces: the entry point of TensorFlow Serving's image does
# not quote MODEL_NAME. A colon or slash would end the name in a URL.
_PLAIN = re.compile(r"\w[\w.-]*")

# With prefixes and suffixes such as ".unfinished-" and "-resnet50-pretrain-2" it must fit into the
# 255 bytes that file systems allow.
_MOST_BYTES = 128


def check_name(name: str, setting: str, place: str) -> None:
    """Raises a UsageError unless a run or an export may have this name.

    Args:
        name: The name that the user gave.
        setting: The setting, for the message, such as "run".
        place: The option for the parent folder, for the message, such as "--runs-dir".

    Raises:
        UsageError: The name is not allowed.
    """
    size = len(os.fsencode(name))
    if _PLAIN.fullmatch(unicodedata.normalize("NFC", name)) and size <= _MOST_BYTES:
        return
    shown = repr(name) if size <= _MOST_BYTES else f"{name[:20]!r}... of {size:,} bytes"
    example = safe_name(name, "my-model")
    raise UsageError(
        f"Setting '{setting}' is {shown}; it must be a plain name of letters, digits, '-', '_' and "
        f"'.' that starts with a letter or digit, at most {_MOST_BYTES} bytes, such as "
        f"'{example}'. Choose its folder with {place}."
    )


def safe_name(text: str, otherwise: str = "images") -> str:
    """Returns a text turned into a name that `check_name` allows, short enough for suffixes.

    Args:
        text: Text such as the name of a folder.
        otherwise: Name to return if no allowed character is left.
    """
    plain = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", text)).strip("-.")
    short = plain.encode()[: _MOST_BYTES - 64].decode(errors="ignore")
    return short.strip("-.") or otherwise


def in_url(name: str) -> str:
    """Returns a name percent-encoded as one segment of a URL path."""
    return urllib.parse.quote(name, safe="")


def in_shell(path: str | pathlib.Path) -> str:
    """Returns a path quoted for a POSIX shell, never mistaken for an option."""
    text = os.fspath(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def class_lines(class_names: tuple[str, ...]) -> str:
    """Returns class names as lines of text, which `parse_class_lines` reads.

    Names that editors or other readers would change are written as JSON strings: names with a
    control character or a line break, with leading or trailing white space, or starting with a
    quote or a byte-order mark.
    """

    def line(name: str) -> str:
        plain = (
            name == name.strip()
            and not name.startswith(('"', "\ufeff"))
            and name.splitlines() == [name]
            and not re.search(r"[\0-\x1f\x7f-\x9f]", name)
        )
        return name if plain else json.dumps(name)

    return "".join(f"{line(name)}\n" for name in class_names)


def parse_class_lines(text: str) -> list[str]:
    """Returns the class names in the text that `class_lines` returned.

    Raises:
        ValueError: A line starts with a quote, but is not a JSON string.
    """
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    return [json.loads(line) if line.startswith('"') else line for line in lines]
