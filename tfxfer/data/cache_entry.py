"""One entry of the cache: a folder of rows of numbers by the id of the image they come from.

```
rows-91ab....npy   the rows; their SHA-256 is in the name
index.npz          the ids in the order of the rows, and what they are
```

The index is written last, by a rename, so a reader sees either the old or the new entry. Of two
writers the last one wins; what the other one added is computed again when next needed.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.system.digests import ID_BYTES, Ids
from tfxfer.system.files import flush, is_abandoned, replacing, temporary_beside
from tfxfer.system.run_layout import CACHE_INDEX
from tfxfer.system.sharing.numpy_headers import READING

Rows = npt.NDArray[Any]  # (num_rows, ...)

# What reading raises where an entry is corrupt, or its rows are not those that were written.
CORRUPT = (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class EntryFolder:
    """The folder of an entry, which may not be there.

    Attributes:
        path: Its path.
    """

    path: pathlib.Path

    @property
    def index(self) -> pathlib.Path:
        """The file that tells what the rows are; its time is when the entry was last used."""
        return self.path / CACHE_INDEX

    def read_index(self) -> tuple[Ids, dict[str, Any]]:
        """Returns the ids in the order of the rows, and what they are.

        Raises:
            FileNotFoundError: There is no entry.
            CORRUPT: It is corrupt.
        """
        with READING, self.index.open("rb") as file, np.load(file) as content:
            return content["ids"], json.loads(str(content["about"]))

    def read(self) -> tuple[Ids, Rows]:
        """Returns the ids and the memory-mapped rows, and writes down that they were used.

        Raises:
            FileNotFoundError: There is no entry.
            CORRUPT: It is corrupt.
        """
        ids, about = self.read_index()
        path = self.path / about["file"]
        if f"rows-{_digest(path)}.npy" != path.name:
            raise ValueError("other rows than were written")
        # Copy on write, though nothing is written: TensorFlow takes no read-only memory.
        with READING:
            rows: Rows = np.load(path, mmap_mode="c")
        if len(rows) != len(ids):
            raise ValueError("other ids than were written")
        with contextlib.suppress(OSError):  # another user's
            os.utime(self.index)  # which is when it was last used
        return ids, rows

    def _named_rows(self) -> str:
        """Returns the name of the file that the index names, "" if there is none."""
        try:
            return str(self.read_index()[1]["file"])
        except CORRUPT:
            return ""

    def write(
        self,
        ids: Ids,
        batches: Iterable[Rows],
        like: npt.DTypeLike,
        shape: tuple[int, ...],
        about: Mapping[str, Any],
    ) -> Rows:
        """Writes the entry, replacing any older one, and returns its rows, memory-mapped.

        After an error there is what there was before.

        Args:
            ids: Of the rows, in their order.
            batches: The rows, some at a time.
            like: Their type.
            shape: Of one row.
            about: What they are, for people; values that JSON can write.

        Raises:
            OSError, RunError: It cannot be written.
        """
        temporary = temporary_beside(self.path / "rows.npy")
        leftovers = [temporary]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            _write_array(temporary, (len(ids), *shape), np.dtype(like), batches)
            named = temporary.with_name(f"rows-{_digest(temporary)}.npy")
            if not named.exists():
                leftovers.append(named)
            temporary.replace(named)
            replaced = self._named_rows()
            with replacing(self.index) as index:
                text = json.dumps({**about, "file": named.name})
                np.savez(index, ids=ids, about=np.array(text))
            for other in set(self.path.glob("rows-*.npy")) - {named}:
                # New ones may be of a writer that has not come to its index yet.
                if other.name == replaced or is_abandoned(other):
                    other.unlink(missing_ok=True)
            with READING:
                rows: Rows = np.load(named, mmap_mode="c")
            leftovers.clear()
        finally:
            _remove(leftovers)
        return rows


def _write_array(
    path: pathlib.Path, shape: tuple[int, ...], dtype: np.dtype[Any], batches: Iterable[Rows]
) -> None:
    """Writes a .npy file, some rows at a time, to the disk."""
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for batch in batches:
            file.write(np.ascontiguousarray(batch, dtype).data)
    flush(path)


def _remove(files: list[pathlib.Path]) -> None:
    """Removes files, and the folders of the entry and of its kind where nothing else is in them."""
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
            file.parent.rmdir()
            file.parent.parent.rmdir()


def _digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[: 2 * ID_BYTES]
