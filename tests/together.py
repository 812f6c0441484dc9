"""Starts programs that several processes run together, with JAX."""

import contextlib
import os
import socket
import subprocess
import sys


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def together(commands, folder, **environment):
    """Starts a process for each command, and in the end kills those that are left.

    Args:
        commands: Program and arguments of each.
        folder: What process 0 says is added to `said0` there, and so on.
        **environment: Variables besides those of this process.
    """
    variables = {**os.environ, "KERAS_BACKEND": "jax", **environment}
    found = []
    for place, command in enumerate(commands):
        with (folder / f"said{place}").open("a") as said:
            found.append(
                subprocess.Popen(
                    [sys.executable, *map(str, command)],
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env=variables,
                )
            )
    try:
        yield found
    finally:
        for process in found:
            process.kill()
            process.wait()
