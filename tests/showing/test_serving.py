"""Who may use the page of a demo."""

import asyncio
import urllib.parse

import pytest

from tfxfer.showing.address import Address
from tfxfer.showing.serving import Guard


async def page(scope, receive, send):
    headers = [(b"content-type", b"text/html"), (b"referrer-policy", b"origin")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"the page"})


def ask(guard, query="", path="/", **headers):
    """Returns the status, the headers and the text that a guard answers."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(guard(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"].decode()


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


def test_a_local_page_answers_to_local_names_alone(local):
    guard = Guard(page, local.access)
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert ask(guard, host=f"{host}:{local.port}")[::2] == (200, "the page")
    for host in ("evil.example", f"evil.example:{local.port}", "127.0.0.1.evil.example", ""):
        status, _, text = ask(guard, host=host)
        assert status == 403
        assert "localhost" in text


def test_it_fetches_nothing_for_a_request(local):
    guard = Guard(page, local.access)
    for path in ("/gradio_api/file=http://localhost:1/", "/gradio_api/proxy=https://evil.example/"):
        status, _, text = ask(guard, path=path, host="localhost")
        assert status == 403
        assert "other servers" in text


def test_browsers_are_told_to_ask_no_other_server(local):
    _, headers, _ = ask(Guard(page, local.access), host="localhost")
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"content-type"] == b"text/html"


def test_elsewhere_the_token_is_needed_once(remote):
    guard = Guard(page, remote.access)
    token = urllib.parse.urlsplit(remote.url).query
    assert token == f"token={remote.access.token}"
    for query, cookie in (("", ""), ("token=", ""), ("token=wrong", ""), ("", "tfxfer_demo=no")):
        status, _, text = ask(guard, query, host="photos.example", cookie=cookie)
        assert status == 403
        assert "token" in text
    status, headers, _ = ask(guard, token, host="photos.example")
    assert (status, headers[b"location"]) == (303, b"/")
    cookie = headers[b"set-cookie"].decode()
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    kept = f"other=1; {cookie.partition(';')[0]}"
    assert ask(guard, host="photos.example", cookie=kept)[::2] == (200, "the page")
