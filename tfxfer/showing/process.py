"""The page in a process of its own, which imports Gradio while TensorFlow is imported here.

Both imports take seconds of Python, of which a process runs one at a time.
"""

import contextlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn

from tfxfer.errors import InterruptionError, RunError, UsageError
from tfxfer.showing.address import Address
from tfxfer.showing.layout import Layout
from tfxfer.system.signals import Interruptions

_PROGRAM = "from tfxfer.showing.program import main; main()"


class Page:
    """The process of a page, as that of the model sees it.

    Args:
        address: Where it is.
        process: The process.
        connection: To it.
        interruptions: The context that raises when a signal is received.
    """

    def __init__(
        self,
        address: Address,
        process: "subprocess.Popen[bytes]",
        connection: Connection,
        interruptions: Interruptions,
    ) -> None:
        self.address = address
        self._process = process
        self._connection = connection
        self._interruptions = interruptions

    def show(self, layout: Layout) -> None:
        """Shows a page, and returns once it answers to browsers.

        Raises:
            RunError: Gradio failed.
        """
        self._send(layout)
        told = self._receive()
        if told != "ready":
            raise RunError(
                f"The page cannot be shown with {told}. Install what the demo needs again: "
                "pip install 'tfxfer[demo]'."
            )

    def say_where(self, say: Callable[[str], None]) -> None:
        """Says where the page is, and who can use it."""
        if not self.address.is_local:
            say(
                "Whoever can reach this machine and has the address below can use the model and "
                "add corrections. The connection is not encrypted."
            )
        say(f"Open {self.address.url} in a browser. Ctrl-C ends the demo.")

    def reply(self, replies: Callable[[str, Sequence[Any]], tuple[str, ...]]) -> NoReturn:
        """Replies to the requests of the page until a signal is received.

        Args:
            replies: Takes the name of a request and its arguments.

        Raises:
            InterruptionError: A signal was received.
            RunError: The process of the page has ended.
        """
        while True:
            what, arguments = self._receive()
            self._send(replies(what, arguments))

    def _send(self, what: Any) -> None:
        with contextlib.suppress(OSError):  # `_receive` says why
            self._connection.send(what)

    def _receive(self) -> Any:
        self._interruptions.check()  # a library may have caught what was raised within it
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            code = self._process.wait()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise RunError(f"The process of the page has ended by itself ({how}).") from None


@contextlib.contextmanager
def open_page(host: str, port: int) -> Iterator[Page]:
    """Yields the process of a page, which ends with the context.

    Within it SIGINT and SIGTERM raise an InterruptionError.

    Args:
        host: Interface to listen on.
        port: Port to listen on; 0 takes a free one.

    Raises:
        UsageError: Gradio is not installed, or the port is in use.
        InterruptionError: It was ended.
    """
    check_gradio()
    address = Address(host, port)  # before the work
    try:
        with (
            contextlib.closing(address.socket),
            Interruptions() as interruptions,
            tempfile.TemporaryDirectory(prefix="tfxfer-demo-") as uploads,
            _process(address, pathlib.Path(uploads)) as (process, connection),
        ):
            yield Page(address, process, connection, interruptions)
    except InterruptionError as error:
        raise InterruptionError(error.number, "The demo has ended.") from None


def check_gradio() -> None:
    """Raises a UsageError if Gradio, which is an extra, is not installed."""
    if importlib.util.find_spec("gradio") is None:
        raise UsageError("The demo needs the package 'gradio': pip install 'tfxfer[demo]'.")


@contextlib.contextmanager
def _process(
    address: Address, uploads: pathlib.Path
) -> Iterator[tuple["subprocess.Popen[bytes]", Connection]]:
    """Yields a new process with a connection to it; kills it at the end."""
    ours, theirs = Pipe()
    descriptors = (theirs.fileno(), address.socket.fileno())
    with contextlib.closing(ours):
        with contextlib.closing(theirs):
            process = subprocess.Popen(
                # -P: the working directory may have modules of any names.
                [sys.executable, "-P", "-c", _PROGRAM, *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(uploads),
                pass_fds=descriptors,
                start_new_session=True,  # Ctrl-C is for this process, which ends both
            )
        try:
            ours.send((address.access, uploads))
            yield process, ours
        finally:
            process.kill()
            process.wait()


def _environment(uploads: pathlib.Path) -> dict[str, str]:
    """Returns variables with which Gradio sends nothing and keeps its files in one folder."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_TEMP_DIR": str(uploads),
        "GRADIO_EXAMPLES_CACHE": str(uploads / "examples"),
    }
