"""The state of a run in a file: whole, checked when it is read, and with one before it.

A checkpoint is one `.npz` file, so its numbers and what is said of them cannot be of two moments.
Keras' own ways to save leave out what an exact resumption needs: the states of random generators,
the metrics within an epoch, the loss scale beside the optimizer's state. Orbax, which Keras offers
too, is made for arrays spread over many hosts, and would be a dependency as large as TensorFlow's
own for what are two hundred lines here.
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

# So many are kept: the last one, and one before it in case that one was damaged on the disk.
_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where a run was at a moment.

    Attributes:
        state: What JSON can write.
        arrays: Lists of arrays by name.
    """

    state: Mapping[str, Any]
    arrays: Mapping[str, list[np.ndarray]] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints in a directory, numbered from 1.

    Args:
        directory: Made when first written to.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory

    def write(self, checkpoint: Checkpoint) -> None:
        """Writes the next checkpoint and removes all but the last two.

        Raises:
            RunError: It cannot be written; those that there were are still there.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        paths = self._paths()
        number = _number(paths[-1]) + 1 if paths else 1
        arrays: dict[str, Any] = {
            f"{name}/{index}": array
            for name, group in checkpoint.arrays.items()
            for index, array in enumerate(group)
        }
        state = np.array(json.dumps(checkpoint.state))
        with replacing(self.directory / f"{number}.npz") as temporary:
            np.savez(temporary, state=state, **arrays)
        flush(self.directory)
        for path in paths[: len(paths) + 1 - _KEPT]:
            path.unlink(missing_ok=True)

    def read(self) -> tuple[Checkpoint | None, list[pathlib.Path]]:
        """Returns the last checkpoint that can be read, and the later ones that cannot.

        Those are removed, and so is what a process that was killed had half written.
        """
        remove_half_written(self.directory)
        damaged: list[pathlib.Path] = []
        found = None
        for path in reversed(self._paths()):
            found = _read(path)
            if found is not None:
                break
            damaged.append(path)
        for path in damaged:
            path.unlink()
        return found, damaged

    def remove(self) -> None:
        """Removes all of them and the directory."""
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
    """Returns what a file holds, or None if it is damaged: each part has a checksum in the file."""
    arrays: dict[str, list[np.ndarray]] = {}
    try:
        # NumPy leaves a file open that is no archive.
        with path.open("rb") as file, np.load(file) as content:
            state = json.loads(str(content["state"]))
            for key in content.files:  # in the order in which they were written
                name, _, index = key.partition("/")
                if index:
                    arrays.setdefault(name, []).append(content[key])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Checkpoint(state, arrays)
