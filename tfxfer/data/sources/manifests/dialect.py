"""Encodings, separators and path styles of manifests from any system."""

import codecs
import csv
import os
import pathlib
import re
from collections.abc import Collection, Sequence

from tfxfer.errors import UsageError

# The longest byte-order marks first: that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# A first line that tells spreadsheets the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t ]*(?:\r\n|\r|\n)', re.IGNORECASE)

# Surrogates, which stand for bytes that are not UTF-8.
_NO_UTF_8 = re.compile("[\udc80-\udcff]")


def text_of(path: pathlib.Path, notes: list[str]) -> str:
    """Returns the text of a file in UTF-8, UTF-16 or UTF-32; the first bytes tell which.

    Bytes that are not UTF-8 become surrogates, as in file names; see `repaired`.

    Args:
        path: Of the file.
        notes: Gets a line if the encoding is not UTF-8.

    Raises:
        UsageError: The file cannot be read, or ends within a character.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read the manifest '{path}': {error.strerror}.") from error
    mark, encoding = next((one for one in _MARKS if content.startswith(one[0])), (b"", ""))
    content = content.removeprefix(mark)
    if not encoding and re.match(rb"[^\0]\0[^\0]\0", content):
        encoding = "utf-16-le"
    elif not encoding and re.match(rb"\0[^\0]\0[^\0]", content):
        encoding = "utf-16-be"
    if encoding in ("", "utf-8"):
        return content.decode("utf-8", "surrogateescape")
    name = encoding[:6].upper()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The manifest '{path}' is {name} by its first bytes, but corrupt: {error.reason} at "
            f"byte {error.start:,}. Save it again, preferably as UTF-8."
        ) from error
    notes.append(f"'{path.name}' was read as {name}")
    return text


def repaired(field: str) -> str:
    """Returns a text that is not UTF-8 decoded as Windows-1252, a superset of Latin-1's letters.

    Other texts are returned as they are.
    """
    if not _NO_UTF_8.search(field):
        return field
    content = field.encode("utf-8", "surrogateescape")
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:  # five bytes have no meaning there
        return content.decode("latin-1")


def without_separator_line(text: str) -> tuple[str, str]:
    """Returns a table without a first line such as `sep=;`, and the separator that it states."""
    found = _SEPARATOR_LINE.match(text)
    return (text[found.end() :], found[1]) if found else (text, "")


def separator_of(text: str, stated: str, *expected: Collection[str]) -> str:
    """Returns what separates the fields of a table.

    It is the first of those that are usual with which all the columns are there that must be, or
    else the one that is most in the first line.

    Args:
        text: Of the table, which begins with the names of its columns.
        stated: What a line before says that it is, which then comes first; or "".
        *expected: Names of columns that must be there, in lower case; those of one of several sets.
    """
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    usual = list(dict.fromkeys([stated, *_SEPARATORS] if stated else _SEPARATORS))
    for separator in usual:
        columns = next(csv.reader([header], delimiter=separator), [])
        found = {column.strip().lower() for column in columns}
        if any(set(names) <= found for names in expected):
            return separator
    return stated or max(_SEPARATORS, key=header.count)


def note_on_separator(name: str, separator: str) -> list[str]:
    """Returns a line that says what separates the fields of a file, where it is no comma."""
    if separator == ",":
        return []
    return [f"fields of '{name}' are separated by {_SEPARATORS.get(separator, repr(separator))}"]


def found_path(folder: pathlib.Path, written: str) -> str:
    """Returns a path of a table as it is found from a folder.

    It is the first that is there of: as it is written; without white space around it; with slashes
    where there are backslashes, as on Windows; and each of these in another encoding. A path of
    which none is there is returned as it is written.
    """
    texts = list(dict.fromkeys([written, repaired(written)]))
    if texts == [written] and written == written.strip() and "\\" not in written:
        return written  # as nearly all are, for which the file is not looked for
    forms: Sequence[str] = [
        form for text in texts for form in (text, text.strip(), text.strip().replace("\\", "/"))
    ]
    return next((form for form in forms if os.path.exists(os.path.join(folder, form))), written)
