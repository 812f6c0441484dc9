"""`tfxfer demo` in a process of its own, and what one asks it over HTTP."""

import contextlib
import importlib.util
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

import pytest

_MAIN = "from tfxfer.cli import main; main()"


class Demo:
    """A demo that answers.

    Attributes:
        process: Its process.
        said: What it has printed so far.
        url: The address that it printed.
    """

    def __init__(self, *arguments):
        words = [sys.executable, "-c", _MAIN, "demo", *map(str, arguments)]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""
        while "Open " not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        self.url = re.search(r"http://\S+", self.said)[0]

    def end(self, number=signal.SIGINT):
        """Returns the exit code, the seconds until it ended, and what was printed since."""
        start = time.monotonic()
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, time.monotonic() - start, rest

    def open(self, path="", **headers):
        """Returns the status, the headers and the text that a path has."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def get(self, path="", **headers):
        """Returns the status and the text that a path has."""
        return self.open(path, **headers)[::2]

    def upload(self, content, name="image.jpg"):
        """Uploads a file as the page does, and returns where the demo keeps it."""
        mark = uuid.uuid4().hex
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        request = urllib.request.Request(f"{self.url}gradio_api/upload", body, kind)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)[0]

    def call(self, what, *data):
        """Calls what the page calls; returns the values, or an error's event as text."""
        body = json.dumps({"data": data}).encode()
        kind = {"Content-Type": "application/json"}
        address = f"{self.url}gradio_api/call/{what}"
        with urllib.request.urlopen(urllib.request.Request(address, body, kind)) as answer:
            event = json.load(answer)["event_id"]
        with urllib.request.urlopen(f"{address}/{event}") as answer:
            text = answer.read().decode()
        done = re.search(r"event: complete\ndata: (.*)", text)
        return json.loads(done[1]) if done else text

    def answer(self, content, name="image.jpg"):
        """Returns what the page shows of an uploaded file: its classes, and the image."""
        return self.call("answer", file_data(self.upload(content, name)))


def file_data(path):
    """Returns a file as the page names it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@contextlib.contextmanager
def open_demo(*arguments):
    """Yields a demo, or skips the test if Gradio is not installed."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("Gradio is not installed: pip install '.[demo]'")
    demo = Demo(*arguments, "--port", 0)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.terminate()  # it removes what was uploaded
            demo.process.communicate()
