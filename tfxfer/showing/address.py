"""The address of the page: a port that is held, and who may ask there."""

import ipaddress
import secrets
import socket
from dataclasses import dataclass

from tfxfer.errors import UsageError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Access:
    """Who may use a page.

    Attributes:
        names: The hosts as which it may be asked for; empty if as any.
        token: What a request must have; None if it needs none.
    """

    names: frozenset[str]
    token: str | None


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
        # A local page answers to local names only. On loopback other programs of this machine may
        # ask, too, so that there is no token.
        self.access = Access(
            frozenset({"localhost", LOOPBACK, "::1", host.lower()} if self.is_local else ()),
            None if self.is_local else secrets.token_urlsafe(16),
        )
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
        token = self.access.token
        query = "" if token is None else f"?token={token}"
        return f"http://{host}:{self.port}/{query}"
