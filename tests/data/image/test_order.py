"""The two numberings of images: places in a split, numbers by content."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tfxfer.data.image.order import Numbers, Order, Places
from tfxfer.system.digests import ids_of


def test_numbers_are_those_of_the_contents_and_lead_back_to_the_places():
    digests = ids_of((bytes([number]),) for number in (4, 1, 3, 1, 0))
    order = Order.of_content(digests)
    everything = Numbers(np.arange(5))
    places = order.places(everything)
    assert sorted(places.tolist()) == [0, 1, 2, 3, 4]
    assert order.numbers(places).tolist() == [0, 1, 2, 3, 4]
    keys = [digests[place].tobytes() for place in places]
    assert keys == sorted(keys)
    assert places.tolist().index(1) < places.tolist().index(3)  # copies stay in their order
    np.testing.assert_array_equal(order.by_number(digests), digests[places])
    some = Places(np.array([4, 0]))
    np.testing.assert_array_equal(order.places(order.numbers(some)), some)
    assert not order.is_that_of_the_split


def test_without_an_order_of_their_own_numbers_are_places():
    order = Order()
    assert order.is_that_of_the_split
    assert order.places(Numbers(np.array([2, 0]))).tolist() == [2, 0]
    assert order.numbers(Places(np.array([2, 0]))).tolist() == [2, 0]
    assert order.by_number(np.array([7, 8])).tolist() == [7, 8]


_MIXED = """
import numpy as np
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Numbers, Order, Places

def mixed(images: Images, order: Order, places: Places, numbers: Numbers) -> None:
    images.streamed(places)
    images.without(numbers)
    images.without(images.unreadable())
    images.streamed(numbers)
    order.places(places)
    order.numbers(numbers)
    images.describe(3)
    images.streamed(np.arange(3))
"""


@pytest.mark.slow
def test_the_type_checker_tells_places_from_numbers(tmp_path):
    pytest.importorskip("mypy")
    file = tmp_path / "mixed.py"
    file.write_text(_MIXED)
    root = pathlib.Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", root / "setup.cfg", file],
        capture_output=True,
        text=True,
        cwd=root,
    )
    lines = [line.split(":")[1] for line in found.stdout.splitlines() if "error:" in line]
    assert lines == ["7", "8", "11", "12", "13", "14"], found.stdout
