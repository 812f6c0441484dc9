"""The strict reader of pickles: what it reads, and all that it refuses."""

import collections
import io
import os
import pickle
import tracemalloc

import pytest
from torch_files import ORDERED_DICT, Call, Name, Persistent, pickled

from tfxfer.models.torch_files.pickles import PickleError, read_pickle, shown

KNOWN = {"collections.OrderedDict": lambda *arguments: {}, "torch.FloatStorage": "floats"}


def read(content, known=KNOWN, persistent=lambda value: ("persistent", value)):
    return read_pickle(io.BytesIO(content), known, persistent)


VALUES = [
    None,
    *(0, 255, 65_535, -1, 2**31 - 1, 2**80, -(2**100)),
    *(True, False, "", "weights", "gewichte \N{SNOWMAN}", (), (1,), (1, 2), (1, 2, 3)),
    (1, (2, (3, 4, 5, 6)), []),
    {"a": [1, 2], "b": {"c": ("d", None)}},
    ["x"] * 3,
    {str(number): number for number in range(2000)},  # more than one batch of items
    list(range(2000)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_plain_values_are_those_that_python_reads(value):
    assert read(pickle.dumps(value, 2)) == value
    assert read(pickled(value)) == value == pickle.loads(pickled(value))


def test_what_python_writes_of_an_ordered_dict_with_attributes_is_read():
    attributed = collections.OrderedDict(a=1)
    attributed.metadata = {"version": 1}
    assert read(pickle.dumps(attributed, 2)) == {"a": 1}


def test_equal_parts_are_one_object_and_a_value_may_contain_itself():
    one = [1]
    found = read(pickle.dumps((one, one), 2))
    assert found[0] is found[1]
    one.append(one)
    found = read(pickle.dumps(one, 2))
    assert found[1] is found


def test_known_names_and_persistent_ids_stand_for_what_they_are_given():
    content = pickled((Name("torch", "FloatStorage"), Persistent(("a", 1))))
    assert read(content) == ("floats", ("persistent", ("a", 1)))


def test_pickles_behind_one_another_are_read_one_by_one():
    stream = io.BytesIO(pickled([1]) + pickled("two") + b"rest")
    assert read_pickle(stream, {}, None) == [1]
    assert read_pickle(stream, {}, None) == "two"
    assert stream.read() == b"rest"


def test_every_other_name_is_refused_and_nothing_is_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/pwned",)

    for content in (
        pickle.dumps(Hostile(), 2),
        pickled(Call(Name("os", "system"), (f"touch {tmp_path}/pwned",))),
        pickled(Call(Name("builtins", "eval"), (f"open('{tmp_path}/pwned', 'w')",))),
    ):
        with pytest.raises(PickleError, match=r"it names '(posix|os|builtins)\.(system|eval)'"):
            read(content)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_operations_that_weights_do_not_need_are_refused_by_name(protocol):
    with pytest.raises(PickleError, match="the pickle operation [A-Z_0-9]+, which"):
        read(pickle.dumps([1.5, b"bytes", {1, 2}, os.getcwd], protocol))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (pickled(Call("text", ())), "is not a function"),
        (pickled(Call(ORDERED_DICT, [])), "is not a function"),
        (pickled(Call(Name("torch", "FloatStorage"), ())), "is not a function"),
        (b"}(K\x01K\x02u.", "key of a dictionary is not a string"),
        (b"}(X\x01\x00\x00\x00au.", "key of a dictionary is not a string"),
        (b"K\x01X\x01\x00\x00\x00aK\x02s.", "is not a dictionary"),
        (b"K\x01}b.", "is not a dictionary"),
        (b"K\x01K\x02a.", "is not a list"),
        (b"h\x07.", "truncated or corrupt"),  # nothing was kept under 7
        (b"t.", "truncated or corrupt"),  # no mark
        (b"(000.", "POP"),
        (b"\x85.", "truncated or corrupt"),  # an empty stack
        (b"R.", "truncated or corrupt"),
        (b".", "truncated or corrupt"),
        (b"\xff.", "truncated or corrupt"),  # no operation
        (b"X\xff\xff\xff\xffabc.", "truncated or corrupt"),  # a text longer than the file
        (b"\x8a\x7f\x01.", "truncated or corrupt"),
        (b"c\xff\xff\nx\n.", "truncated or corrupt"),
    ],
)
def test_what_is_malformed_is_refused(content, problem):
    with pytest.raises(PickleError, match=problem):
        read(content)


def test_a_pickle_cut_off_anywhere_is_refused():
    content = pickled({"a": (1, 2**80, [Call(ORDERED_DICT, ()), None, True])})
    for length in range(len(content)):
        with pytest.raises(PickleError, match="truncated or corrupt"):
            read(content[:length])


def test_a_few_bytes_do_not_take_gigabytes():
    # Python's own unpickler makes a list of two thousand million places for this.
    kept_far_away = b"\x80\x02K\x01r\xff\xff\xff\x7f."
    doubled = b"]" + b"".join(b"q\x00h\x00h\x00\x86" for _ in range(1000)) + b"."
    deep = b")" + b"\x85" * 50_000 + b"."
    tracemalloc.start()
    assert read(kept_far_away) == 1
    read(doubled)
    read(deep)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


def test_a_deeply_nested_key_is_refused():
    with pytest.raises(PickleError, match="not a string"):
        read(b"})" + b"\x85" * 20_000 + b"K\x01s.")


def test_texts_of_a_file_are_shown_short_and_without_control_characters():
    assert shown("a.b") == "'a.b'"
    assert "\x1b" not in shown("\x1b[2J\ud800")
    assert len(shown("x" * 10**6)) < 100
