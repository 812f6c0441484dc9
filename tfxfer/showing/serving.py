"""Serves the page: its address, who may use it, and how it ends."""

import hmac
import http.cookies
import ipaddress
import logging
import secrets
import socket
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tfxfer.errors import InterruptionError, UsageError
from tfxfer.system.signals import Interruptions

# What a web server calls: a scope, and functions that receive and send messages (ASGI).
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"

_COOKIE = "tfxfer_demo"

# The browser asks no other server, whatever the page holds.
_HEADERS = {
    b"content-security-policy": (
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        b"media-src 'self' data: blob: mediastream:; worker-src 'self' blob:; "
        b"connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; "
        b"form-action 'self'; frame-ancestors 'none'"
    ),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}

_SECONDS_TO_END = 2.0


class Address:
    """A port that is held, and how to reach it.

    Args:
        host: Name or number of the interface to listen on.
        port: 0 takes a free one.

    Raises:
        UsageError: The host does not exist here, or the port is in use.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except OSError as error:
            raise UsageError(f"There is no host '{host}': {error.strerror or error}.") from None
        self.is_local = ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback
        # Without a token on loopback, where other programs of this machine may ask, too.
        self.token = None if self.is_local else secrets.token_urlsafe(16)
        self.socket = socket.socket(family, kind, protocol)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(place)
        except OSError as error:
            self.socket.close()
            raise UsageError(
                f"Cannot listen on port {port} of '{host}': {error.strerror}. Choose another "
                "--port; 0 takes a free one."
            ) from None
        self.port = int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """What to type into a browser."""
        host = self._host
        if host in ("0.0.0.0", "::", ""):  # all interfaces
            host = socket.gethostname()
        host = f"[{host}]" if ":" in host else host
        query = "" if self.token is None else f"?token={self.token}"
        return f"http://{host}:{self.port}/{query}"

    @property
    def names(self) -> frozenset[str]:
        """The names under which a local page may be asked for; empty if under any."""
        if not self.is_local:
            return frozenset()
        return frozenset({"localhost", "127.0.0.1", "::1", self._host.lower()})


class Guard:
    """Lets through what may use the page, and tells the browser to ask no other server.

    Other websites could reach a local page by a name of theirs that resolves to this machine (DNS
    rebinding), so a local page answers to local names only. Elsewhere a token is required: in the
    address at first, then as a cookie.

    Args:
        application: The page.
        address: Where it is.
    """

    def __init__(self, application: Application, address: Address) -> None:
        self._application = application
        self._names = address.names
        self._token = address.token

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers a request, as web servers call it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = urllib.parse.urlsplit(f"//{headers.get(b'host', '')}").hostname
        if self._names and host not in self._names:
            await _refuse(send, "This page is reached as localhost only.")
            return
        if "://" in scope["path"]:  # Gradio would fetch it from elsewhere
            await _refuse(send, "Nothing is fetched from other servers.")
            return
        query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"))
        if self._token is not None and self._is_token(query.get("token", [""])[0]):
            await self._remember(send)
            return
        if self._token is not None and not self._is_token(_cookie(headers.get(b"cookie", ""))):
            await _refuse(send, "This page needs the token that is in the address printed by demo.")
            return
        await self._application(scope, receive, _with_headers(send))

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), str(self._token).encode())

    async def _remember(self, send: Send) -> None:
        """Keeps the token in a cookie, and out of the address."""
        cookie = f"{_COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def serve(application: Application, address: Address, when_ready: Callable[[], None]) -> None:
    """Serves until Ctrl-C or SIGTERM.

    Args:
        application: The page.
        address: Where.
        when_ready: Called once it answers.

    Raises:
        InterruptionError: It was ended, as is usual.
    """
    import uvicorn

    config = uvicorn.Config(Guard(application, address), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    # Requests are served apart, so that this thread gets signals at once.
    thread = threading.Thread(target=server.run, args=([address.socket],), daemon=True)
    with Interruptions():
        try:
            thread.start()
            while thread.is_alive() and not server.started:
                thread.join(0.01)
            when_ready()
            while thread.is_alive():
                thread.join(0.5)
        except InterruptionError as error:
            raise InterruptionError(error.number, "The demo has ended.") from None
        finally:
            # Pages that are open keep a connection; they are not waited for, nor are the errors
            # told that this gives them.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
            server.should_exit = server.force_exit = True
            thread.join(_SECONDS_TO_END)


def _cookie(header: str) -> str:
    """Returns the token among the cookies of a request, or the empty string."""
    try:
        found = http.cookies.SimpleCookie(header).get(_COOKIE)
    except http.cookies.CookieError:
        return ""
    return found.value if found else ""


async def _refuse(send: Send, sentence: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})


def _with_headers(send: Send) -> Send:
    """Returns a function that sends messages with our headers."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [pair for pair in message.get("headers", []) if pair[0] not in _HEADERS]
            message = {**message, "headers": [*others, *_HEADERS.items()]}
        await send(message)

    return sent
