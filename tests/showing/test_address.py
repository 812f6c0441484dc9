"""At what address the page of a demo is."""

import socket

import pytest

from tfxfer.errors import UsageError
from tfxfer.showing.address import Address


@pytest.fixture
def local():
    address = Address("127.0.0.1", 0)
    yield address
    address.socket.close()


@pytest.fixture
def remote():
    address = Address("0.0.0.0", 0)
    yield address
    address.socket.close()


def test_tokens_differ(remote):
    other = Address("0.0.0.0", 0)
    other.socket.close()
    assert other.access.token != remote.access.token
    assert len(other.access.token) >= 20


def test_the_address_is_what_one_types(local, remote):
    assert local.url == f"http://127.0.0.1:{local.port}/"
    assert (local.is_local, local.access.token) == (True, None)
    assert not remote.is_local
    assert remote.url.startswith(f"http://{socket.gethostname()}:{remote.port}/?token=")


def test_a_port_in_use_and_an_unknown_host_are_told(local):
    local.socket.listen()
    with pytest.raises(UsageError, match=rf"port {local.port} .*in use.*--port"):
        Address("127.0.0.1", local.port)
    with pytest.raises(UsageError, match=r"no host 'no\.such\.host\.invalid'"):
        Address("no.such.host.invalid", 0)
