"""Standard streams that may be ASCII only, full, closed, or a broken pipe."""

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

# Error handler for characters that the encoding of a stream lacks; see `_escape`.
ESCAPED = "tfxfer-escaped"

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def prepare() -> None:
    """Replaces the standard streams so that no write to them ends in a traceback.

    If standard output fails, an `OutputError` is raised once, and later output is dropped, also
    when Python flushes it at exit. Standard error never raises. A closed stream acts like
    `/dev/null`.

    If the locale makes Python decode file names as ASCII or Latin-1, the process is restarted with
    UTF-8 file names; the streams keep their encoding.
    """
    if sys.getfilesystemencoding().lower() != "utf-8":
        _restart_in_utf_8()
    occupy_closed_descriptors()
    sys.stdout = _reopened(sys.stdout, _STDOUT)
    sys.stderr = _reopened(sys.stderr, _STDERR)


def escape_what_cannot_be_encoded() -> None:
    """Makes the streams escape characters that their encoding lacks."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)


def occupy_closed_descriptors() -> None:
    """Opens `/dev/null` in place of closed standard streams.

    Otherwise the next opened file, such as a checkpoint, gets their descriptor, and native code
    writes its messages into it.
    """
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            # `open` takes the lowest free descriptor, which is this one.
            os.open(os.devnull, os.O_RDONLY if number == _STDIN else os.O_WRONLY)
            os.set_inheritable(number, True)


def say(line: str) -> None:
    """Prints a line and flushes it."""
    # Not `click.echo`, which writes UTF-8 to ASCII streams.
    print(line, flush=True)


def tell(line: str) -> None:
    """Writes a line to standard error, if possible."""
    write_to_stderr(f"{line}\n")


def note(text: str) -> None:
    """Writes a note, which stops nothing, to standard error."""
    tell(f"Note: {text}")


def write_to_stderr(text: str) -> None:
    """Writes to standard error, if possible."""
    with contextlib.suppress(OSError, ValueError):  # full or broken; closed
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Tells whether a stream, which may be closed, is a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def keep_going(printing: Callable[[str], None]) -> Callable[[str], None]:
    """Returns a print function whose failures do not end a long run.

    The first failure is reported on standard error, and later lines are dropped. Characters that
    cannot be encoded are escaped.

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
            note("the reader of the output is gone; the run continues without output")
            _discard_output()
        except (OutputError, OSError) as error:
            lost = True
            what = error if isinstance(error, OutputError) else f"Cannot print: {error.strerror}."
            tell(f"Error: {what} The run continues without output.")
        except ValueError:
            if sys.stdout is None or not sys.stdout.closed:
                raise
            lost = True

    return kept


def check_printed() -> None:
    """Raises an OutputError without a message if `keep_going` dropped lines.

    A closed pipe is not an error: its reader has seen enough.
    """
    raw = _raw(sys.stdout)
    if raw is not None and raw.failure is not None and raw.failure.errno != errno.EPIPE:
        raise OutputError("")


def read_list() -> list[str]:
    """Returns the file names listed on standard input, one per line.

    A byte-order mark, Windows line endings and blank lines are allowed. If the list has null
    characters, as `find -print0` writes them, they separate the names.

    Raises:
        UsageError: Standard input is closed, or cannot be read.
    """
    return split_list(read_input("a list of files"))


def read_input(what: str) -> bytes:
    """Returns all of standard input.

    Args:
        what: What it is, for messages.

    Raises:
        UsageError: Standard input is closed, or cannot be read.
    """
    if sys.stdin is None:
        raise UsageError(f"Standard input is closed, but '-' reads {what} from it.")
    try:
        return sys.stdin.buffer.read()
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {what} ('-') from standard input: {error}.") from None


def split_list(content: bytes) -> list[str]:
    """Returns the file names in a list; see `read_list`."""
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if content.startswith(mark):  # what PowerShell's `>` writes
            content = content.decode("utf-16", "replace").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\0" in content:
        return [os.fsdecode(name) for name in content.split(b"\0") if name]
    if b"\n" not in content and not os.path.lexists(content):
        content = content.replace(b"\r", b"\n")  # line endings of classic Mac OS
    lines = (os.fsdecode(line) for line in content.split(b"\n"))
    return [name for name in map(_without_carriage_return, lines) if name.strip()]


def _without_carriage_return(line: str) -> str:
    """Returns a line without a trailing carriage return, unless a file has that name."""
    if line.endswith("\r") and not os.path.lexists(line):
        return line[:-1]
    return line


class _Output(io.FileIO):
    """A descriptor that is written to until it fails; later output is dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Writes all of the data, also to a non-blocking descriptor.

        Raises:
            OutputError: Writing to standard output failed.
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
                if count is None:  # the parent made the descriptor non-blocking
                    select.select([], [self], [])
                written += count or 0
        return len(content)


def _lost(error: OSError) -> OutputError:
    if error.errno == errno.EPIPE:
        return ReaderLeftError("")
    return OutputError(f"Cannot write to standard output: {error.strerror}.")


def _reopened(stream: TextIO | None, descriptor: int) -> TextIO:
    """Returns a standard stream that writes through `_Output`, unless it was replaced."""
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
    """Returns the `_Output` of a stream that `prepare` made, or None."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw if isinstance(raw, _Output) else None


def _discard_output() -> None:
    """Redirects standard output to `/dev/null` after its reader left.

    Otherwise its buffer would fail again when Python exits.
    """
    if sys.stdout is None or _raw(sys.stdout) is not None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _restart_in_utf_8() -> None:
    """Restarts the process in Python's UTF-8 mode; the streams keep their encoding."""
    streams = (sys.stdout, sys.stderr, sys.stdin)
    encoding = next((stream.encoding for stream in streams if stream is not None), "ascii")
    environment = {"PYTHONIOENCODING": encoding, **os.environ, "PYTHONUTF8": "1"}
    # The variable is for child processes; with -I and -E it is ignored.
    arguments = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    with contextlib.suppress(OSError):
        os.execve(sys.executable, arguments, environment)


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""Error handler: returns the replacement of characters, and where to continue.

    Undecodable bytes of file names are written as they are, other characters as escapes: "\u043a".
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
