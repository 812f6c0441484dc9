"""What `check` says of numbers."""

import numpy as np
import pytest
from PIL import Image

from tfxfer.api.check import check
from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.numbers import findings_of_numbers
from tfxfer.data.opening import open_as_it_is


@pytest.fixture
def manifest(tmp_path):
    generator = np.random.default_rng(0)

    def write(values):
        lines = ["path,price"]
        for number, value in enumerate(values):
            pixels = generator.integers(256, size=(16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
            lines.append(f"{number}.png,{value}")
        path = tmp_path / "data.csv"
        path.write_text("\n".join([*lines, ""]))
        return str(path)

    return write


@pytest.mark.slow
def test_numbers_far_from_the_others_are_named(manifest):
    found = check(manifest([*range(20), 1000, -500]), target="price")
    (finding,) = [one for one in found.findings if one.kind == "outliers of the target"]
    assert "2 images have a 'price' far from the others, outside -2" in finding.message
    assert [name.split(": ")[1] for (name,) in finding.examples] == ["1,000", "-500"]
    assert not found.blocks
    text = found.describe()
    assert text.splitlines()[1].split() == ["price", "22"]
    assert "imbalance" not in text


def test_a_constant_target_stops_a_fit(manifest):
    found = check(manifest([2.5] * 5), target="price")
    assert found.blocks
    assert "have the same 'price', 2.5" in found.describe()


def test_there_is_nothing_to_say_of_classes():
    assert findings_of_numbers(Examples.of(open_as_it_is("digits"))) == []
