"""Real processes that join, tell each other things, and end: see `joining_program`."""

import importlib.util
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from together import free_port, together

from tfxfer.errors import UsageError
from tfxfer.system.processes.asked import Processes
from tfxfer.system.processes.joining import joined

PROGRAM = pathlib.Path(__file__).parent / "joining_program.py"

needs_jax = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed"),
]


def started(folder, numbers, count, what, seconds=300):
    """Starts the processes with some numbers, and ends those that are left; a context."""
    port = free_port()
    commands = [[PROGRAM, number, count, port, what, seconds] for number in numbers]
    return together(commands, folder, PYTHONUNBUFFERED="1")


def ended(processes, folder, seconds=600):
    """Returns the exit codes and what was said, once all have ended."""
    codes = [process.wait(timeout=seconds) for process in processes]
    return codes, [(folder / f"said{place}").read_text() for place in range(len(processes))]


def test_processes_train_together_with_jax_alone(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    with pytest.raises(UsageError, match="--distributed needs JAX"), joined(Processes()):
        pass


class TestProcesses:
    pytestmark = needs_jax

    def test_where_nothing_says_who_they_are_the_message_says_how_to(self):
        program = (
            "from tfxfer.system.processes.asked import Processes\n"
            "from tfxfer.system.processes.joining import joined\n"
            "with joined(Processes()): pass"
        )
        environment = {**os.environ, "KERAS_BACKEND": "jax"}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, env=environment, check=False
        )
        said = done.stderr.decode()
        assert "UsageError: Nothing says which processes train together (coordinator_add" in said
        assert "Give --coordinator HOST:PORT, --process-id and --num-processes" in said

    def test_what_they_tell_each_other_arrives(self, tmp_path):
        with started(tmp_path, range(3), 3, "tell") as processes:
            codes, said = ended(processes, tmp_path)
        assert codes == [0, 0, 0], said

    def test_those_that_disagree_end_with_a_message_that_names_what_differs(self, tmp_path):
        with started(tmp_path, range(2), 2, "disagree") as processes:
            codes, said = ended(processes, tmp_path)
        assert codes == [2, 2], said
        pid = processes[1].pid
        for text in said:
            assert f"Process 1 of 2 (pid {pid} on {socket.gethostname()})" in text
            assert "has the digest of the data other, process 0 one" in text

    @pytest.mark.parametrize("what", ["add", "wait"])
    @pytest.mark.parametrize("victim", [0, 1])
    def test_one_that_is_killed_is_named_by_the_others_within_a_minute(
        self, tmp_path, what, victim
    ):
        with started(tmp_path, range(3), 3, what) as processes:
            while not all("sum" in (tmp_path / f"said{n}").read_text() for n in range(3)):
                time.sleep(0.2)
            processes[victim].send_signal(signal.SIGKILL)
            start = time.monotonic()
            codes, said = ended(processes, tmp_path, 90)
            assert time.monotonic() - start < 60
        for number in {0, 1, 2} - {victim}:
            assert codes[number] == 1, said[number]
            errors = re.findall("^Error: .*", said[number], re.MULTILINE)
            assert len(errors) == 1, said[number]
            assert f"Process {victim} of 3 (pid {processes[victim].pid} on" in errors[0]
            assert "Start all processes again" in errors[0]

    def test_one_that_fails_ends_the_others_with_its_message(self, tmp_path):
        with started(tmp_path, range(2), 2, "fail") as processes:
            codes, said = ended(processes, tmp_path, 120)
        assert codes == [1, 1], said
        assert said[1].count("Error:") == 1
        assert "No image could be read." in said[1]
        assert "ended: No image could be read." in said[0]

    def test_a_signal_to_any_process_interrupts_the_first(self, tmp_path):
        with started(tmp_path, range(2), 2, "interrupt") as processes:
            codes, said = ended(processes, tmp_path, 120)
        assert codes == [143, 143], said
        assert "Interrupted by SIGTERM" in said[0]
        assert "ended: Interrupted by SIGTERM" in said[1]

    @pytest.mark.parametrize(("numbers", "count"), [([1], 2), ([0], 2), ([0, 1, 1], 3)])
    def test_those_that_do_not_come_together_end_within_the_stated_time(
        self, tmp_path, numbers, count
    ):
        with started(tmp_path, numbers, count, "tell", seconds=5) as processes:
            codes, said = ended(processes, tmp_path, 200)
        for code, text in zip(codes, said, strict=True):
            assert code == 1, text
            assert f"Not {count} processes have joined at 127.0.0.1:" in text
            assert "within 5 s" in text
