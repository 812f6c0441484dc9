"""The program of the process that has the page: it builds it with Gradio, and serves it."""

import contextlib
import gc
import importlib.metadata
import os
import queue
import socket
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any


class Model:
    """The process of the model, as that of the page sees it.

    When it ends, however that happens, this process ends, too.

    Args:
        connection: To it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._received: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._turn = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def receive(self) -> Any:
        """Returns the next thing that it sends."""
        return self._received.get()

    def send(self, what: Any) -> None:
        """Sends something."""
        with contextlib.suppress(OSError):  # it is gone, and `_read` ends this process
            self._connection.send(what)

    def ask(self, what: str, *arguments: Any) -> tuple[str, ...]:
        """Returns its reply to a request; one after the other."""
        with self._turn:
            self.send((what, arguments))
            reply: tuple[str, ...] = self.receive()
            return reply

    def _read(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._received.put(self._connection.recv())
        os._exit(0)


def main() -> None:
    """Runs with the descriptors of the connection and of the socket as arguments."""
    model = Model(Connection(int(sys.argv[1])))
    place = socket.socket(fileno=int(sys.argv[2]))
    try:
        access, uploads = model.receive()
        gc.disable()  # what imports make lives until the end; a fifth of the time is saved
        from tfxfer.showing.page import make_page
        from tfxfer.showing.serving import Guard, serve

        gc.freeze()
        gc.enable()
        page = make_page(model.receive(), uploads, model.ask)
        serve(Guard(page, access), place, lambda: model.send("ready"))
    except Exception as error:  # of any type, as Gradio may be of another version
        model.send(f"{_versions()}: {type(error).__name__}: {' '.join(str(error).split())}")
        sys.exit(1)


def _versions() -> str:
    try:
        return f"gradio {importlib.metadata.version('gradio')}"
    except importlib.metadata.PackageNotFoundError:
        return "gradio"
