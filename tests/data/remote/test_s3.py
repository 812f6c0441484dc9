"""Data on a server that speaks S3 (moto), read by s3fs."""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache
from tfxfer.data.opening import open_source
from tfxfer.data.remote import fetching
from tfxfer.data.remote.copies import Copies
from tfxfer.data.remote.listing import list_at
from tfxfer.errors import DataError, UsageError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("moto", "s3fs", "flask")),
        reason="moto[server] or s3fs is not installed",
    ),
    # Of aiobotocore, at the end.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


class Server:
    """A server of S3, which loses its objects when it ends."""

    def __init__(self, port):
        self.port = port
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            time.sleep(0.1)
        raise TimeoutError

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    found = Server(port)
    yield found
    found.kill()


def bucket():
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("bucket")
    return files


def test_data_on_s3_are_what_they_are_on_the_disk(server, pictures, monkeypatch):
    files = bucket()
    files.put(str(pictures), "bucket/photos", recursive=True)
    files.touch("bucket/photos/empty/")  # as the console makes a folder
    here, there = (
        open_source(FitConfig(data=str(data))) for data in (pictures, "s3://bucket/photos")
    )
    assert there.fingerprint() == here.fingerprint()
    files.pipe("bucket/photos/test/red/0.jpg", (pictures / "test/red/1.jpg").read_bytes())
    assert open_source(FitConfig(data="s3://bucket/photos")).fingerprint() != here.fingerprint()
    with pytest.raises(UsageError, match=r"'s3://other/photos' \(The specified bucket does not"):
        open_source(FitConfig(data="s3://other/photos"))
    with pytest.raises(UsageError, match="nothing at 's3://bucket/other'"):
        open_source(FitConfig(data="s3://bucket/other"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    type(files).clear_instance_cache()
    with pytest.raises(DataError, match="Unable to locate credentials.*AWS_PROFILE"):
        open_source(FitConfig(data="s3://bucket/photos"))


def test_what_a_server_that_died_had_sent_is_kept(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_MOST_FILES", 8)
    contents = {f"bucket/many/{number:03d}.bin": bytes([number]) * 50_000 for number in range(200)}
    files = bucket()
    files.pipe(contents)
    copies, listing = Copies(Cache(tmp_path / "cache", 10**9)), list_at("s3://bucket/many")

    def kill_in_the_middle():
        while len(list(tmp_path.rglob("*.bin"))) < 24:
            time.sleep(0.001)
        server.kill()

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    with pytest.raises(DataError, match="'s3://bucket/many': .*Check the network, and run it"):
        copies.made(listing)
    killer.join()
    kept = len(list(tmp_path.rglob("*.bin")))
    assert 24 <= kept < 200
    server.start()
    bucket().pipe(contents)
    folder, note = copies.made(list_at("s3://bucket/many"))
    assert f"{200 - kept} of them fetched now" in note
    found = {path.name: path.read_bytes() for path in folder.rglob("*.bin")}
    assert found == {name.rpartition("/")[2]: content for name, content in contents.items()}
