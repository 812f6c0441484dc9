"""The standard streams as they may be: of few characters, full, closed, or a pipe nobody reads."""

import codecs
import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import TextIO

from tfxfer.errors import OutputError, ReaderLeftError, UsageError

# How streams write what their encoding lacks; see `_escape`.
ESCAPED = "tfxfer-escaped"

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def prepare() -> None:
    """Makes the standard streams of a command such that no write to them ends in a traceback.

    Standard output that takes no more raises an `OutputError`, once: what follows, also when Python
    flushes it at the end, is dropped. Standard error never raises: nobody could be told. A stream
    that is closed is as one into `/dev/null`.

    Where Python takes names of files for ASCII or Latin-1, which the locale says, the process is
    begun anew with names in UTF-8, as other programs have them; the streams keep their encoding.
    """
    if sys.getfilesystemencoding().lower() != "utf-8":
        _restart_in_utf_8()
    occupy_closed_descriptors()
    sys.stdout = _reopened(sys.stdout, _STDOUT)
    sys.stderr = _reopened(sys.stderr, _STDERR)


def escape_what_cannot_be_encoded() -> None:
    """Has the streams write characters that their encoding lacks as escapes."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)


def occupy_closed_descriptors() -> None:
    """Opens `/dev/null` in the place of standard streams that are closed.

    Else the next file that is opened, such as a checkpoint, takes their number, and what native
    code writes to standard error ends up in it.
    """
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_RDONLY if number == _STDIN else os.O_WRONLY)
            os.set_inheritable(number, True)


def say(line: str) -> None:
    """Prints a line at once."""
    # Not by `click.echo`, which writes UTF-8 to what says that it is ASCII.
    print(line, flush=True)


def tell(line: str) -> None:
    """Writes a line to standard error where that is possible."""
    write_to_stderr(f"{line}\n")


def note(text: str) -> None:
    """Writes what the user should know and what stops nothing to standard error."""
    tell(f"Note: {text}")


def write_to_stderr(text: str) -> None:
    """Writes to standard error where that is possible."""
    with contextlib.suppress(OSError, ValueError):  # full or left; closed by `close`
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Tells whether a person watches a stream, which may be closed."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def keep_going(printing: Callable[[str], None]) -> Callable[[str], None]:
    """Returns a way to print lines that never ends the work of hours that they tell of.

    Once a line cannot be printed standard error is told, and those that follow are dropped.
    Characters that cannot be encoded are escaped.

    Args:
        printing: Prints a line.
    """
    occupy_closed_descriptors()
    lost = False

    def kept(text: str) -> None:
        nonlocal lost
        if lost:
            return
        try:
            try:
                printing(text)
            except UnicodeEncodeError:
                printing(text.encode("ascii", "backslashreplace").decode())
        except (ReaderLeftError, BrokenPipeError):
            lost = True
            note("nobody reads the output any more; the run goes on without it")
            _discard_output()
        except (OutputError, OSError) as error:
            lost = True
            what = error if isinstance(error, OutputError) else f"Cannot print: {error.strerror}."
            tell(f"Error: {what} The run goes on without it.")
        except ValueError:
            if sys.stdout is None or not sys.stdout.closed:
                raise
            lost = True

    return kept


def check_printed() -> None:
    """Raises an OutputError without a message where lines of `keep_going` were lost.

    A reader who left has seen what they wanted: that is no error.
    """
    raw = _raw(sys.stdout)
    if raw is not None and raw.failure is not None and raw.failure.errno != errno.EPIPE:
        raise OutputError("")


def read_list() -> list[str]:
    """Returns the names of files that standard input lists, one on each line.

    A list may have a byte-order mark, lines that end as those of Windows do, and blank lines, which
    are no names. Where it has null characters, as `find -print0` writes them, those divide it.

    Raises:
        UsageError: Standard input is closed, or cannot be read.
    """
    if sys.stdin is None:
        raise UsageError("Standard input is closed, but '-' reads a list of files from it.")
    try:
        content = sys.stdin.buffer.read()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Cannot read the list of files ('-') from standard input: {error}."
        ) from None
    return split_list(content)


def split_list(content: bytes) -> list[str]:
    """Returns the names of files in a list; see `read_list`."""
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if content.startswith(mark):  # what PowerShell's `>` writes
            content = content.decode("utf-16", "replace").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\0" in content:
        return [os.fsdecode(name) for name in content.split(b"\0") if name]
    if b"\n" not in content and not os.path.lexists(content):
        content = content.replace(b"\r", b"\n")  # the line ends of old Macs
    lines = (os.fsdecode(line) for line in content.split(b"\n"))
    return [name for name in map(_without_carriage_return, lines) if name.strip()]


def _without_carriage_return(line: str) -> str:
    """Returns a line without the end of one of Windows, unless that is part of a file's name."""
    if line.endswith("\r") and not os.path.lexists(line):
        return line[:-1]
    return line


class _Output(io.FileIO):
    """A descriptor that is written to until it fails, and swallows what comes after."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Writes all of the data, also where the other end is slow and must not be waited for.

        Raises:
            OutputError: Standard output takes no more.
        """
        content = memoryview(data).cast("B")
        written = 0
        while written < len(content) and self.failure is None:
            try:
                count = super().write(content[written:])
            except OSError as error:
                self.failure = error
                if self.fileno() == _STDOUT:
                    raise _lost(error) from None
            else:
                if count is None:  # a parent has made the descriptor one that does not wait
                    select.select([], [self], [])
                written += count or 0
        return len(content)


def _lost(error: OSError) -> OutputError:
    if error.errno == errno.EPIPE:
        return ReaderLeftError("")
    return OutputError(f"Cannot write to standard output: {error.strerror}.")


def _reopened(stream: TextIO | None, descriptor: int) -> TextIO:
    """Returns a standard stream that writes by `_Output`, unless it was replaced by another."""
    encoding, line_buffering, unbuffered = "utf-8", False, False
    if stream is not None:
        if not isinstance(stream, io.TextIOWrapper) or stream.fileno() != descriptor:
            return stream
        stream.flush()
        encoding, line_buffering = stream.encoding, stream.line_buffering
        unbuffered = stream.write_through
    raw = _Output(descriptor)
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),  # type: ignore[type-var]
        encoding,
        ESCAPED,
        line_buffering=line_buffering,
        write_through=unbuffered,
    )


def _raw(stream: TextIO | None) -> _Output | None:
    """Returns what a stream that `prepare` made writes by."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw if isinstance(raw, _Output) else None


def _discard_output() -> None:
    """Has standard output lead nowhere, once its reader left.

    What is still in its buffer would else fail again when Python exits.
    """
    if sys.stdout is None or _raw(sys.stdout) is not None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _restart_in_utf_8() -> None:
    """Begins the process anew in Python's UTF-8 mode, with the streams' encoding as it is."""
    streams = (sys.stdout, sys.stderr, sys.stdin)
    encoding = next((stream.encoding for stream in streams if stream is not None), "ascii")
    environment = {"PYTHONIOENCODING": encoding, **os.environ, "PYTHONUTF8": "1"}
    # The variable is for children of this process; -I and -E ignore it.
    arguments = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    with contextlib.suppress(OSError):
        os.execve(sys.executable, arguments, environment)


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""Returns what stands for characters that cannot be encoded, and where the next one is.

    Bytes of the name of a file that are no characters are written as they are, other characters as
    escapes: "\u043a".
    """
    if isinstance(error, UnicodeDecodeError):
        return codecs.lookup_error("surrogateescape")(error)
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = b"".join(
        bytes([ord(character) - 0xDC00])
        if "\udc80" <= character <= "\udcff"
        else character.encode("ascii", "backslashreplace")
        for character in error.object[error.start : error.end]
    )
    return written, error.end


codecs.register_error(ESCAPED, _escape)
