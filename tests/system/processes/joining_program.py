"""A program that is one of several processes: joins them, does something, and leaves.

python joining_program.py NUMBER COUNT PORT WHAT
"""

import os
import signal
import sys
import time

import numpy as np


def tell(team):
    """What processes tell each other arrives."""
    from tfxfer.system.processes.messages import Message

    told = team.from_first(lambda: Message("hello", {"rows": [np.arange(3)]}))
    assert told.state == "hello"
    assert told.arrays["rows"][0].tolist() == [0, 1, 2]
    assert team.from_all(f"I am {team.number}") == [f"I am {n}" for n in range(team.count)]
    assert team.computed(np.arange(1), lambda some: some * 10.0).tolist() == [0.0]
    # More than fits into a block: 2**24 bytes.
    rows = team.computed(np.arange(5000), lambda some: np.repeat(some[:, None], 1000, axis=1))
    assert rows.shape == (5000, 1000)
    assert (rows == np.arange(5000)[:, None]).all()


def disagree(team):
    """One process has other data."""
    from tfxfer.system.processes.agreeing import check_same

    check_same({"digest of the data": "other" if team.number else "one"})


def add(team):
    """Adds numbers of all processes, as the gradients are, until one is gone."""
    import jax

    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("x",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    total = jax.jit(lambda rows: rows.sum())
    while True:
        rows = jax.make_array_from_process_local_data(sharding, np.ones(4, np.float32))
        print("sum", float(total(rows)), flush=True)
        time.sleep(0.2)


def wait(team):
    """The last process waits for what the first never says; the first works alone."""
    from tfxfer.system.processes.messages import Message

    def work():
        print("sum", 0, flush=True)
        time.sleep(600)
        return Message()

    print("sum", 0, flush=True)
    team.from_first(work)


def fail(team):
    """One process fails; the others wait for it."""
    from tfxfer.errors import DataError

    if team.number == 1:
        raise DataError("No image could be read.")
    team.from_all("done")


def interrupt(team):
    """The last process gets a signal, which the first one handles."""
    from tfxfer.system.processes.following import interruptions

    with interruptions() as received, received.deferred():
        team.from_all("here")
        if team.number == team.count - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        while True:
            time.sleep(0.1)
            received.check()


def main():
    from tfxfer.errors import TfxferError
    from tfxfer.system.processes.asked import Processes
    from tfxfer.system.processes.joining import joined

    number, count, port = map(int, sys.argv[1:4])
    what, seconds = globals()[sys.argv[4]], int(sys.argv[5])
    try:
        with joined(Processes(f"127.0.0.1:{port}", number, count, seconds)) as team:
            what(team)
    except TfxferError as error:
        print(f"Error: {error}", flush=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
