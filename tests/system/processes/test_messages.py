import math

import numpy as np

from tfxfer.system.processes.messages import Message


def test_a_message_arrives_as_it_was_told():
    arrays = {"head": [np.eye(2, dtype="float32"), np.array(3)], "none": []}
    told = Message({"loss": 0.1, "name": "späť", "nothing": None}, arrays)
    heard = Message.of_bytes(told.packed())
    assert heard.state == told.state
    assert list(heard.arrays) == ["head", "none"]
    for ours, theirs in zip(heard.arrays["head"], arrays["head"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert heard.arrays["none"] == []


def test_numbers_keep_all_digits_and_may_be_missing():
    heard = Message.of_bytes(Message([1 / 3, math.nan, -math.inf]).packed()).state
    assert heard[0] == 1 / 3
    assert math.isnan(heard[1])
    assert heard[2] == -math.inf


def test_an_empty_message_is_one_too():
    assert Message.of_bytes(Message().packed()) == Message()
