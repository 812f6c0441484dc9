"""Names of runs and exports: one rule for the folder, the model server, the URL and the shell."""

import json
import os
import pathlib
import re
import shlex
import unicodedata
import urllib.parse

from tfxfer.errors import UsageError

# Letters and digits of any script. A space is none: the entry point of TensorFlow Serving's image
# does not quote MODEL_NAME. A colon or slash would end the name in a URL.
_PLAIN = re.compile(r"\w[\w.-]*")

# With what is put around it, such as ".unfinished-" and "-resnet50-pretrain-2", it must fit into
# the 255 bytes that a file system allows.
_MOST_BYTES = 128


def check_name(name: str, setting: str, place: str) -> None:
    """Raises a UsageError unless a run or an export may have this name.

    Args:
        name: What the user wrote.
        setting: What the name is of, for the message: "run".
        place: The option that says where the folder of that name goes.
    """
    size = len(os.fsencode(name))
    if _PLAIN.fullmatch(unicodedata.normalize("NFC", name)) and size <= _MOST_BYTES:
        return
    shown = repr(name) if size <= _MOST_BYTES else f"{name[:20]!r}... of {size:,} bytes"
    example = safe_name(name, "my-model")
    raise UsageError(
        f"Setting '{setting}' is {shown}; it must be a plain name of letters, digits, '-', '_' and "
        f"'.' that begins with a letter or digit, at most {_MOST_BYTES} bytes: '{example}', say. "
        f"Choose where it goes with {place}."
    )


def safe_name(text: str, otherwise: str = "images") -> str:
    """Returns the name nearest to a text that `check_name` allows, and that leaves room to add to.

    Args:
        text: Such as the name of a folder.
        otherwise: What is returned where nothing of the text is left.
    """
    plain = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", text)).strip("-.")
    short = plain.encode()[: _MOST_BYTES - 64].decode(errors="ignore")
    return short.strip("-.") or otherwise


def in_url(name: str) -> str:
    """Returns a name as one part of the path of a URL."""
    return urllib.parse.quote(name, safe="")


def in_shell(path: str | pathlib.Path) -> str:
    """Returns a path as an argument in a POSIX shell, which no command takes for an option."""
    text = os.fspath(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def class_lines(class_names: tuple[str, ...]) -> str:
    """Returns class names as lines of text, which `read_class_names` reads.

    A name that a line cannot hold, or that editors and other readers would change, stands as JSON
    writes it: one with a control character or a line break of any kind, with white space at an end,
    or that begins with a quote or a byte-order mark.
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
    """Returns the class names that `class_lines` made a text of.

    Raises:
        ValueError: A line begins with a quote, but is no JSON.
    """
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    return [json.loads(line) if line.startswith('"') else line for line in lines]
