"""The processes that train one model together, as one of them sees them.

A process that trains alone is the first of one: what is here then costs nothing.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfxfer.system.processes.messages import Message

# What is told is under these keys of JAX's coordination service, in the first process.
PREFIX = "tfxfer"

# How long one call waits; between two, Python handles signals.
_WAIT_MILLISECONDS = 500

# What each process has in its devices at once while rows are gathered.
_BLOCK_BYTES = 2**24


class Team:
    """The processes, and what they tell each other.

    Args:
        number: Of this process, from 0.
        count: How many there are.
        client: Of JAX's coordination service; None where nothing is told, as in a dry run.

    Attributes:
        number: Of this process.
        count: How many there are.
        names: What each is called in messages: "pid 4711 on node3".
    """

    def __init__(self, number: int, count: int, client: Any = None) -> None:
        self.number, self.count = number, count
        self._client = client
        self._turn = 0
        self.names: Sequence[str] = ()

    def describe(self, number: int) -> str:
        """Returns a process as words of a message."""
        name = f" ({self.names[number]})" if self.names else ""
        return f"process {number} of {self.count}{name}"

    def from_first(self, tell: Callable[[], Message]) -> Message:
        """Returns to all what the first process computes, alone; the others wait for it.

        All processes must call this in the same order, as the other methods that tell something.

        Args:
            tell: Called in the first process alone.
        """
        if self._client is None:
            return tell()
        from jax.experimental import multihost_utils

        key = self._next_key()
        if self.number == 0:
            with alone():
                content = tell().packed()
            self.set(key, str(len(content)))
        else:
            content = bytes(int(self.wait_for(key)))
        sent = multihost_utils.broadcast_one_to_all(np.frombuffer(content, np.uint8))
        return Message.of_bytes(np.asarray(sent).tobytes())

    def from_all(self, text: str) -> list[str]:
        """Returns to all the text of each process, in their order."""
        if self._client is None:
            return [text]
        key = self._next_key()
        self.set(f"{key}/{self.number}", text)
        return [self.wait_for(f"{key}/{number}") for number in range(self.count)]

    def computed(
        self, numbers: np.ndarray, compute: Callable[[np.ndarray], np.ndarray], block: int = 1
    ) -> np.ndarray:
        """Returns to all the rows of some numbers, in their order; each is computed by one process.

        Args:
            numbers: The same in all processes.
            compute: Returns the rows of some of the numbers, in order; there may be none.
            block: Each process computes whole blocks of so many: the batches of one that is alone.
        """
        blocks = np.array_split(np.arange(-(-len(numbers) // block)), self.count)[self.number]
        first, end = (blocks[0], blocks[-1] + 1) if len(blocks) else (0, 0)
        return self.gathered(compute(numbers[first * block : end * block]))

    def gathered(self, rows: np.ndarray) -> np.ndarray:
        """Returns to all the rows of all processes, those of the first before the others'.

        Args:
            rows: Of this process; the numbers of rows may differ, not the rest of the shape.
        """
        if self._client is None:
            return rows
        lengths = [int(text) for text in self.from_all(str(len(rows)))]
        found = np.empty((sum(lengths), *rows.shape[1:]), rows.dtype)
        # All of them together might not fit into the memory of a device.
        block = max(1, _BLOCK_BYTES // max(1, rows.itemsize * math.prod(rows.shape[1:])))
        for start in range(0, max(lengths), block):
            place = 0
            for length, part in zip(lengths, self._blocks(rows, start, block), strict=True):
                some = part[: max(0, length - start)]
                found[place + start : place + start + len(some)] = some
                place += length
        return found

    def _blocks(self, rows: np.ndarray, start: int, size: int) -> np.ndarray:
        """Returns the rows of all processes from a place on, filled up to a number of rows."""
        from jax.experimental import multihost_utils

        block = np.zeros((size, *rows.shape[1:]), rows.dtype)
        part = rows[start : start + size]
        block[: len(part)] = part
        return np.asarray(multihost_utils.process_allgather(block))

    def wait_for(self, key: str) -> str:
        """Returns what a process has told under a key, once it has."""
        while True:
            try:
                found: str = self._client.blocking_key_value_get(
                    f"{PREFIX}/{key}", _WAIT_MILLISECONDS
                )
                return found
            except Exception as error:  # JAX's error, which has no kind of its own for this
                if "DEADLINE_EXCEEDED" not in str(error):
                    raise

    def set(self, key: str, value: str) -> None:
        """Tells the others a value; one that was told before is replaced."""
        self._client.key_value_set(f"{PREFIX}/{key}", value, allow_overwrite=True)

    def told(self, folder: str) -> dict[str, str]:
        """Returns what was told under the keys of a folder, by the rest of the keys."""
        start = f"{PREFIX}/{folder}/"
        return {
            key.removeprefix(start): value for key, value in self._client.key_value_dir_get(start)
        }

    def _next_key(self) -> str:
        self._turn += 1
        return f"turn/{self._turn}"


class _Current:
    """The team of this process."""

    team = Team(0, 1)


def current() -> Team:
    """Returns the team of this process."""
    return _Current.team


@contextlib.contextmanager
def belonging_to(team: Team) -> Iterator[None]:
    """Makes this process one of a team."""
    before, _Current.team = _Current.team, team
    try:
        yield
    finally:
        _Current.team = before


def alone() -> contextlib.AbstractContextManager[None]:
    """Returns a context in which this process does not wait for others, and none waits for it."""
    return belonging_to(Team(0, 1))


def is_first() -> bool:
    """Whether this process writes the run and says what it does."""
    return current().number == 0
