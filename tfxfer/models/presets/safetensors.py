"""Reading `.safetensors` files, which hold tensors by name and nothing that can be run.

The format: eight bytes with the length of the header, the header as JSON, the data. The header may
lie, so everything in it is compared with the size of the file before anything is read.
"""

import json
import math
import pathlib
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tfxfer.errors import WeightsError

_TYPES: dict[str, Any] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}

# Some networks have thousands of tensors, each of some 100 bytes.
_MOST_HEADER_BYTES = 4_000_000

_NUM_LENGTH_BYTES = 8


@dataclass(frozen=True)
class _Place:
    """Where a tensor is: bytes `start` to `stop` of the file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


class TensorFile:
    """The tensors of floating-point numbers in a `.safetensors` file, read one by one.

    Args:
        path: Of the file.

    Raises:
        WeightsError: The file is not one, or its header does not fit its size.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(_NUM_LENGTH_BYTES), "little")
                size = path.stat().st_size
                if length > min(_MOST_HEADER_BYTES, size - _NUM_LENGTH_BYTES):
                    raise ValueError(f"it says that its header has {length:,} bytes")
                header = json.loads(file.read(length))
            if not isinstance(header, dict):
                raise ValueError("its header is not a table")
            begin = _NUM_LENGTH_BYTES + length
            self._places = {
                name: place
                for name, entry in header.items()
                if name != "__metadata__"
                and (place := _place(name, entry, begin, size)) is not None
            }
        except (OSError, ValueError, RecursionError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise WeightsError(
                f"Cannot read the weights in '{path}': it is not a valid .safetensors file "
                f"({reason}). Download it again."
            ) from None

    def read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Returns a tensor as float32.

        Args:
            name: Of the tensor.
            shape: The one that it must have.

        Raises:
            WeightsError: There is no such tensor, or it has another shape.
        """
        place = self._places.get(name)
        if place is None or place.shape != shape:
            found = "has none of that name" if place is None else f"has {place.shape}"
            raise WeightsError(
                f"The weights in '{self.path}' do not fit: the network has a tensor '{name}' of "
                f"shape {shape}, the file {found}."
            )
        with self.path.open("rb") as file:
            file.seek(place.start)
            content = file.read(place.stop - place.start)
        return np.frombuffer(content, place.dtype).reshape(shape).astype("float32")

    @property
    def names(self) -> frozenset[str]:
        """The names of the tensors, without those of other types."""
        return frozenset(self._places)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Returns the shape of a tensor; None if there is none of that name."""
        place = self._places.get(name)
        return place.shape if place else None


def _place(name: str, entry: Any, begin: int, size: int) -> _Place | None:
    """Returns where a tensor is; None of a type that is not read, such as whole numbers."""
    if not isinstance(entry, dict):
        raise ValueError(f"tensor {name!r:.60} has no table")
    dtype = entry.get("dtype")
    shape, offsets = (_numbers(name, entry.get(key)) for key in ("shape", "data_offsets"))
    if len(offsets) != 2 or not offsets[0] <= offsets[1] <= size - begin:
        raise ValueError(f"tensor {name!r:.60} reaches beyond the end of the file")
    if not isinstance(dtype, str) or dtype not in _TYPES:
        return None
    kind = _TYPES[dtype]
    if math.prod(shape) * kind.itemsize != offsets[1] - offsets[0]:
        raise ValueError(f"tensor {name!r:.60} has another size than its shape")
    return _Place(kind, shape, begin + offsets[0], begin + offsets[1])


def _numbers(name: str, found: Any) -> tuple[int, ...]:
    """Returns a list of whole numbers from 0."""
    if not isinstance(found, list) or not all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in found
    ):
        raise ValueError(f"tensor {name!r:.60} has no shape or no place")
    return tuple(found)
