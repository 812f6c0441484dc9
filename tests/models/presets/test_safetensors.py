"""Files of tensors, valid ones and hostile ones."""

import json
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from messages import parts
from timm_files import safetensors_bytes

from tfxfer.errors import WeightsError
from tfxfer.models.presets.safetensors import TensorFile

ARRAYS = {
    "a.weight": np.arange(6, dtype="float32").reshape(2, 3),
    "b": np.array(0.5, "float32"),
    "empty": np.zeros((0, 4), "float32"),
}


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "model.safetensors"


def test_tensors_are_read_as_they_were_written(file):
    written(file, safetensors_bytes(ARRAYS, __metadata__={"format": "pt"}))
    tensors = TensorFile(file)
    for name, array in ARRAYS.items():
        found = tensors.read(name, array.shape)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, array)
        assert tensors.shape(name) == array.shape
    assert tensors.shape("__metadata__") is None


@pytest.mark.parametrize(
    ("kind", "dtype"), [("F64", "<f8"), ("F16", "<f2"), ("BF16", ml_dtypes.bfloat16)]
)
def test_other_floating_point_numbers_become_float32(file, kind, dtype):
    data = np.array([0.5, -2.0], dtype).tobytes()
    entry = {"dtype": kind, "shape": [2], "data_offsets": [0, len(data)]}
    written(file, safetensors_bytes({}, x=entry) + data)
    np.testing.assert_array_equal(TensorFile(file).read("x", (2,)), [0.5, -2.0])


def test_whole_numbers_are_passed_over(file):
    entry = {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}
    written(file, safetensors_bytes({}, steps=entry) + bytes(8))
    assert TensorFile(file).shape("steps") is None


def test_a_tensor_that_is_missing_or_of_another_shape_is_named(file):
    tensors = TensorFile(written(file, safetensors_bytes(ARRAYS)))
    with pytest.raises(WeightsError, match=parts("'c' of shape (2,) ... none of that name")):
        tensors.read("c", (2,))
    with pytest.raises(WeightsError, match=parts("'a.weight' of shape (3, 2) ... has (2, 3)")):
        tensors.read("a.weight", (3, 2))


def entry(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (entry([2], [0, 4]), "another size than its shape"),
        (entry([10**12], [0, 4 * 10**12]), "beyond the end"),
        (entry([10**4000], [0, 8]), "another size"),
        (entry([2], [8, 0]), "beyond the end"),
        (entry([2], [0, 8, 16]), "beyond the end"),
        (entry([-2], [0, 8]), "no shape or no place"),
        (entry([2], [-8, 0]), "no shape or no place"),
        (entry([2.0], [0, 8]), "no shape or no place"),
        (entry([True], [0, 4]), "no shape or no place"),
        (entry("2", [0, 8]), "no shape or no place"),
        ({"dtype": "F32"}, "no shape or no place"),
        ([], "no table"),
        (None, "no table"),
    ],
)
def test_a_header_that_lies_is_refused(file, found, reason):
    written(file, safetensors_bytes({}, x=found) + bytes(8))
    with pytest.raises(WeightsError, match=parts(f"'{file}' ... {reason} ... Download")):
        TensorFile(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        (2**64 - 1).to_bytes(8, "little") + b"{}",
        (3).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{x",
        (2).to_bytes(8, "little") + b"\xff\xff",
        (100_000).to_bytes(8, "little") + b"[" * 100_000,
    ],
)
def test_what_is_no_such_file_is_refused(file, content):
    with pytest.raises(WeightsError, match="not a valid .safetensors file"):
        TensorFile(written(file, content))


def test_a_file_truncated_anywhere_is_refused(file):
    whole = safetensors_bytes(ARRAYS)
    for length in np.linspace(0, len(whole) - 1, 100).astype(int):
        with pytest.raises(WeightsError):
            TensorFile(written(file, whole[:length]))


def test_a_lying_header_costs_no_memory(file):
    huge = json.dumps({"x": entry([10**9], [0, 4 * 10**9])}).encode()
    written(file, (2**40).to_bytes(8, "little") + huge)
    tracemalloc.start()
    with pytest.raises(WeightsError):
        TensorFile(file)
    written(file, len(huge).to_bytes(8, "little") + huge)
    with pytest.raises(WeightsError):
        TensorFile(file)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
