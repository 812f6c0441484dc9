"""Serves the page to those who may use it."""

import hmac
import http.cookies
import socket
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tfxfer.errors import RunError
from tfxfer.showing.address import Access

# What a web server calls: a scope, and functions that receive and send messages (ASGI).
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

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


class Guard:
    """Lets through what may use the page, and tells the browser to ask no other server.

    Other websites could reach a local page by a name of theirs that resolves to this machine (DNS
    rebinding), so a local page answers to local names only. Elsewhere a token is required: in the
    address at first, then as a cookie.

    Args:
        application: The page.
        access: Who may use it.
    """

    def __init__(self, application: Application, access: Access) -> None:
        self._application = application
        self._names = access.names
        self._token = access.token

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


def serve(application: Application, place: socket.socket, when_ready: Callable[[], None]) -> None:
    """Serves for as long as the process lives.

    Args:
        application: The page.
        place: Where.
        when_ready: Called once it answers.

    Raises:
        RunError: The server has ended.
    """
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(application, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, args=([place],), daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        thread.join(0.01)
    if server.started:
        when_ready()
    thread.join()
    raise RunError("The server of the page has ended.")


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
