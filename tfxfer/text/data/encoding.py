"""Text files: their bytes as text."""

import codecs
import pathlib

from tfxfer.errors import DataError, UsageError

UTF_8 = "utf-8"

_OTHER_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"} | {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def check_encoding(encoding: str) -> None:
    """Raises a UsageError unless Python knows a text encoding of that name."""
    try:
        "".encode(encoding)
        known = True
    except (LookupError, ValueError):
        known = False
    if not known:
        raise UsageError(
            f"Unknown encoding '{encoding}' (--encoding). Examples are 'utf-8', 'latin-1', "
            "'cp1252' and 'utf-16'."
        )


def read_text(path: pathlib.Path, encoding: str = UTF_8) -> str:
    """Returns the content of a text file; a byte order mark is left out.

    Args:
        path: The file.
        encoding: Its encoding; see `decoded`.

    Raises:
        DataError: It cannot be read, or has another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from None
    return decoded(content, encoding, str(path))


def decoded(content: bytes, encoding: str, where: str) -> str:
    """Returns bytes as text, without a byte order mark.

    Args:
        content: The bytes.
        encoding: Their encoding.
        where: What they are, for the message.

    Raises:
        DataError: They have another encoding; the message has the offset of the first wrong byte.
    """
    is_utf_8 = codecs.lookup(encoding).name == UTF_8
    try:
        return content.decode("utf-8-sig" if is_utf_8 else encoding)
    except UnicodeDecodeError as error:
        wrong = content[error.start : error.start + 1]
        mark = next((name for start, name in _OTHER_MARKS.items() if content.startswith(start)), "")
        guess = f"--encoding {mark}" if mark else "--encoding, such as latin-1"
        raise DataError(
            f"'{where}' is not {encoding.upper()}: byte 0x{wrong.hex()} at offset {error.start}. "
            f"Save it as UTF-8, or give the encoding of all texts with {guess}."
        ) from None


def undecoded(content: bytes) -> str:
    """Returns UTF-8 as text, keeping bytes that are not; `encoded` returns the same bytes."""
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    r"""Returns a text as the model takes it: UTF-8, and other bytes as they were.

    Examples:
        >>> encoded(undecoded(b"caf\xe9"))
        b'caf\xe9'
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, which no file has
        return text.encode("utf-8", "replace")
