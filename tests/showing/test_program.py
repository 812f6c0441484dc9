"""The process of the page, from within."""

import subprocess
import sys
from multiprocessing.connection import Pipe

import pytest

PROGRAM = """
import sys, threading
from multiprocessing.connection import Connection
from tfxfer.showing.program import Model

model = Model(Connection(int(sys.argv[1])))
threads = [
    threading.Thread(target=lambda n=n: model.send(("told", n, model.ask("double", n))))
    for n in range(20)
]
for thread in threads:
    thread.start()
threading.Event().wait()
"""


@pytest.fixture
def child():
    """A process with a model that asks 20 questions at once, and the connection to it."""
    ours, theirs = Pipe()
    number = theirs.fileno()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(number)], pass_fds=[number])
    theirs.close()
    yield process, ours
    process.kill()
    process.wait()


def test_each_request_gets_its_reply_and_the_process_ends_with_that_of_the_model(child):
    process, ours = child
    told = {}
    while len(told) < 20:
        what, *rest = ours.recv()
        if what == "told":
            number, reply = rest
            told[number] = reply
        else:
            assert what == "double"
            ours.send(2 * rest[0][0])
    assert told == {number: 2 * number for number in range(20)}
    assert process.poll() is None
    ours.close()
    assert process.wait(30) == 0
