"""Reading tensors from a file of PyTorch's legacy format, which `torch.save` wrote up to 1.5.

Such a file is five pickles (a magic number, the version of the format, the machine's types, the
state dict, the keys of its storages) and then, in the order of the keys, each storage: its number
of elements in eight bytes, and the elements.
"""

import functools
import io
import math
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.models.torch_files.pickles import PickleError, read_pickle, shown

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_FORMAT_VERSION = 1001

# The networks read here have files of 19 to 25 MB, with 60 kB of pickles.
_MAX_FILE_BYTES = 2**28
_MAX_PICKLE_BYTES = 2**20
_MAX_DIMENSIONS = 8


@dataclass(frozen=True)
class _Storage:
    """A row of numbers that tensors are views of."""

    key: str
    dtype: np.dtype[Any]
    num_elements: int

    @property
    def num_bytes(self) -> int:
        """Length in the file, with the number of elements before it."""
        return 8 + self.num_elements * self.dtype.itemsize


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: pathlib.Path) -> dict[str, npt.NDArray[Any]]:
    """Returns the tensors of a state dict by name, float32 or int64, read-only.

    Nothing in the file is run, and no tensor takes memory of its own.

    Raises:
        PickleError: The file is in another format, truncated or corrupt, or holds something else
            than tensors; the message completes "it cannot be read: ...".
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        content = file.read(size if size <= _MAX_FILE_BYTES else 2)
    if content.startswith(b"PK"):
        raise PickleError(
            "it is in the zip format of PyTorch 1.6 and later. Load it in PyTorch and save it "
            "again with torch.save(state_dict, FILE, _use_new_zipfile_serialization=False)"
        )
    if size > _MAX_FILE_BYTES:
        raise PickleError(f"it is larger than {_MAX_FILE_BYTES // 2**20} MiB")
    storages: dict[str, _Storage] = {}
    known = {
        "collections.OrderedDict": _ordered_dict,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch.FloatStorage": np.dtype("<f4"),
        "torch.LongStorage": np.dtype("<i8"),
    }
    stream = io.BytesIO(content[:_MAX_PICKLE_BYTES])
    read = functools.partial(
        read_pickle, stream, known, functools.partial(_found_storage, storages)
    )
    _check_header(read)
    tensors, keys = read(), read()
    arrays = _arrays(content, stream.tell(), _in_order(storages, keys))
    return _views(tensors, arrays)


def _check_header(read: Any) -> None:
    """Reads the first three pickles and refuses other formats than this."""
    try:
        magic = read()
    except PickleError:
        magic = None
    if magic != _MAGIC_NUMBER:
        raise PickleError("it is not a file that PyTorch saved")
    version, system = read(), read()
    if version != _FORMAT_VERSION or not isinstance(system, dict):
        raise PickleError("it is of an unknown version of the format")
    if system.get("little_endian") is not True:
        raise PickleError("its numbers are big-endian")


def _ordered_dict(*arguments: Any) -> dict[str, Any]:
    if arguments:
        raise PickleError("an OrderedDict has arguments")
    return {}


def _found_storage(storages: dict[str, _Storage], persistent_id: Any) -> _Storage:
    """Returns the storage that a persistent id describes, the same for the same key."""
    match persistent_id:
        case ("storage", np.dtype() as dtype, str(key), str(), int(count), None) if count >= 0:
            storage = _Storage(key, dtype, count)
        case _:
            raise PickleError("a storage is not described as PyTorch does it")
    if storages.setdefault(key, storage) != storage:
        raise PickleError(f"storage {shown(key)} has two types or lengths")
    return storage


def _tensor(*arguments: Any) -> _Tensor:
    match arguments:
        case (_Storage() as storage, int(offset), tuple(shape), tuple(strides), bool(), dict()):
            tensor = _Tensor(storage, offset, shape, strides)
        case _:
            raise PickleError("a tensor is not described as PyTorch does it")
    if len(shape) != len(strides) or len(shape) > _MAX_DIMENSIONS:
        raise PickleError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    numbers = (offset, *shape, *strides)
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise PickleError(
            "a tensor has a size, a stride or an offset that is negative or not a number"
        )
    # No element before or behind the storage, and none twice: a stride of 0 would let a few bytes
    # become any number of elements.
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    num_elements = math.prod(shape)
    if num_elements > storage.num_elements or (num_elements and last >= storage.num_elements):
        raise PickleError(f"a tensor is larger than its storage {shown(storage.key)}")
    return tensor


def _in_order(storages: Mapping[str, _Storage], keys: Any) -> list[_Storage]:
    """Returns the storages in the order in which the file has them."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise PickleError("the list of its storages is corrupt")
    if len(keys) != len(storages) or set(keys) != set(storages):
        raise PickleError("the list of its storages is not that of its tensors")
    return [storages[key] for key in keys]


def _arrays(content: bytes, start: int, storages: list[_Storage]) -> dict[str, npt.NDArray[Any]]:
    """Returns the numbers of each storage by its key.

    Args:
        content: The whole file.
        start: Where the first storage starts.
        storages: All of them, in the order of the file.
    """
    expected = start + sum(storage.num_bytes for storage in storages)
    if len(content) != expected:
        raise PickleError(f"it has {len(content):,} bytes, its tensors need {expected:,}")
    arrays = {}
    for storage in storages:
        if int.from_bytes(content[start : start + 8], "little") != storage.num_elements:
            raise PickleError(f"storage {shown(storage.key)} is not as long as its tensors need")
        arrays[storage.key] = np.frombuffer(content, storage.dtype, storage.num_elements, start + 8)
        start += storage.num_bytes
    return arrays


def _views(tensors: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    if not isinstance(tensors, dict) or not tensors:
        raise PickleError("it is not a state dict")
    views = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, _Tensor):
            raise PickleError(
                f"its entry {shown(name)} is not a tensor: save model.state_dict() alone"
            )
        array = arrays[tensor.storage.key]
        views[name] = np.lib.stride_tricks.as_strided(
            array[tensor.offset :],
            tensor.shape,
            tuple(stride * array.itemsize for stride in tensor.strides),
            writeable=False,
        )
    return views
