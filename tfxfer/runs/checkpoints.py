"""Checkpoints of a run: written atomically, verified when read, the last two kept.

A checkpoint is one `.npz` file, so its arrays and its state always belong together. Keras' own
formats leave out what resuming exactly needs: the states of random generators, the metrics within
an epoch, and the loss scale. Orbax, which Keras also offers, is made for arrays sharded over many
hosts, and would add a dependency as large as TensorFlow's own.
"""

import json
import pathlib
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfxfer.system.files import flush, remove_at_once, remove_half_written, replacing
from tfxfer.system.processes.messages import Message
from tfxfer.system.processes.team import current, is_first
from tfxfer.system.timing.timeline import span

# Checkpoints kept: the last one, and the previous one in case the last is corrupt.
_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run at one moment.

    Attributes:
        state: JSON-serializable state.
        arrays: Lists of arrays by name.
    """

    state: Mapping[str, Any]
    arrays: Mapping[str, list[np.ndarray]] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints in a directory, numbered from 1.

    Of several processes the first writes and reads them, and tells the others what is in them.

    Args:
        directory: Created by the first `write`.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory

    def write(self, checkpoint: Checkpoint) -> None:
        """Saves the next checkpoint and removes all but the last two.

        Args:
            checkpoint: The state to save.

        Raises:
            RunError: It cannot be written; the existing checkpoints are kept.
        """
        if not is_first():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        paths = self._paths()
        number = _number(paths[-1]) + 1 if paths else 1
        arrays: dict[str, Any] = {
            f"{name}/{index}": array
            for name, group in checkpoint.arrays.items()
            for index, array in enumerate(group)
        }
        state = np.array(json.dumps(checkpoint.state))
        with span("write a checkpoint"), replacing(self.directory / f"{number}.npz") as temporary:
            np.savez(temporary, state=state, **arrays)
        flush(self.directory)
        for path in paths[: len(paths) + 1 - _KEPT]:
            path.unlink(missing_ok=True)

    def read(self) -> tuple[Checkpoint | None, list[pathlib.Path]]:
        """Returns the last readable checkpoint, and the paths of later ones that are corrupt.

        Corrupt checkpoints and partial files of killed processes are removed.
        """
        corrupt: list[pathlib.Path] = []

        def tell() -> Message:
            found, paths = self._read()
            corrupt.extend(paths)
            return Message() if found is None else Message(found.state, found.arrays)

        told = current().from_first(tell)
        return None if told.state is None else Checkpoint(told.state, told.arrays), corrupt

    def _read(self) -> tuple[Checkpoint | None, list[pathlib.Path]]:
        remove_half_written(self.directory)
        corrupt: list[pathlib.Path] = []
        found = None
        for path in reversed(self._paths()):
            found = _read(path)
            if found is not None:
                break
            corrupt.append(path)
        for path in corrupt:
            path.unlink()
        return found, corrupt

    def remove(self) -> None:
        """Removes all checkpoints and the directory."""
        remove_at_once(self.directory)

    def _paths(self) -> list[pathlib.Path]:
        names = re.compile(r"[1-9][0-9]*\.npz")
        return sorted(
            (path for path in self.directory.glob("*.npz") if names.fullmatch(path.name)),
            key=_number,
        )


def _number(path: pathlib.Path) -> int:
    return int(path.stem)


def _read(path: pathlib.Path) -> Checkpoint | None:
    """Returns the checkpoint in a file, or None if it is corrupt: its parts have checksums."""
    arrays: dict[str, list[np.ndarray]] = {}
    try:
        # NumPy does not close a file that is not an archive.
        with path.open("rb") as file, np.load(file) as content:
            state = json.loads(str(content["state"]))
            for key in content.files:  # in the order in which they were written
                name, _, index = key.partition("/")
                if index:
                    arrays.setdefault(name, []).append(content[key])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Checkpoint(state, arrays)
