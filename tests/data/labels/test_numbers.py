"""What is known of the numbers of a target, and how they are divided and written."""

import json
import math

import numpy as np
import pytest

from tfxfer.data.labels.kinds import NUMERIC, in_words
from tfxfer.data.labels.numbers import (
    Number,
    exact_text,
    quantiles_of,
    read_number,
    readable,
    write_number,
)
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.stratification import divided, limited
from tfxfer.data.labels.targets import (
    are_numbers,
    as_bytes,
    images_of_each,
    in_batches,
    names_of,
    numbered,
    occurring,
)
from tfxfer.errors import UsageError
from tfxfer.system.digests import ids_of

VALUES = np.array([3.5, -1.0, 0.1, 3.5, 100.0])
NUMBER = Number.of("price", VALUES)


def test_what_is_known_is_that_of_numpy_and_is_read_as_written(tmp_path):
    assert NUMBER.mean == pytest.approx(np.mean(VALUES))
    assert NUMBER.std == pytest.approx(np.std(VALUES))
    assert (NUMBER.median, NUMBER.low, NUMBER.high) == (3.5, -1.0, 100.0)
    assert NUMBER.spread == pytest.approx(np.mean(np.abs(VALUES - 3.5)))
    path = tmp_path / "target.json"
    assert read_number(path) is None
    write_number(path, NUMBER)
    assert read_number(path) == NUMBER
    for content in ("[", "[]", json.dumps({**NUMBER.as_json(), "std": 0}), '{"name": "x"}'):
        path.write_text(content)
        with pytest.raises(UsageError, match=r"target.json' does not describe a target"):
            read_number(path)
    assert Number.of("x", [0.1, 0.1, 0.1]).std == 0  # not a rounding error


def test_texts_are_read_as_the_same_number():
    for value in (0.1, 1 / 3, 1e-300, 123456.789, -0.0, 2.0**60):
        assert float(exact_text(value)) == value
    assert [readable(one) for one in (0.5, -12345.6, 1e20)] == ["0.5", "-12,346", "1e+20"]


def test_labels_of_numbers_are_told_from_classes():
    assert are_numbers(VALUES)
    assert not are_numbers(np.array([1, 2]))
    assert not are_numbers(np.array([[1.0, 0.0]], np.float32))
    assert images_of_each(VALUES, 1).tolist() == [5]
    assert (occurring(VALUES), occurring(VALUES[:0])) == ({0}, set())
    assert in_batches(VALUES).dtype == np.float32
    assert numbered(VALUES).tolist() == [2, 0, 1, 2, 3]
    assert names_of(VALUES[2], ("price",)) == ["0.1"]
    rows = as_bytes(VALUES)
    assert rows.shape == (5, 8)
    assert rows[0].tobytes() == rows[3].tobytes() != rows[1].tobytes()
    assert as_bytes(np.array([0.0])).tobytes() == as_bytes(np.array([-0.0])).tobytes()


def test_splits_and_subsets_have_all_quantiles_whatever_the_order():
    generator = np.random.default_rng(0)
    values = generator.lognormal(size=400)
    digests = ids_of((bytes([number % 256, number // 256]),) for number in range(400))
    groups = quantiles_of(values)
    assert np.bincount(groups).tolist() == [40] * 10
    parts = divided(values, digests, {"validation": 0.2, "test": 0.2}, (0,))
    for part in ("validation", "test"):
        assert np.bincount(groups[parts[part]]).tolist() == [8] * 10
    order = generator.permutation(400)
    again = divided(values[order], digests[order], {"validation": 0.2, "test": 0.2}, (0,))
    assert sorted(order[again["test"]].tolist()) == parts["test"].tolist()
    assert np.bincount(groups[limited(values, digests, 50, (0,))]).tolist() == [5] * 10
    assert quantiles_of([1.0, 1.0, 2.0]).tolist() == [0, 0, 0]


def test_outputs_of_a_number_are_told_by_an_export():
    outputs = Outputs(("price",), number=NUMBER)
    assert (outputs.special, outputs.kind_of_labels) == (NUMERIC, in_words(NUMERIC, None))
    found = Outputs.of_json(("price",), json.loads(json.dumps(outputs.as_json())))
    assert found.number == NUMBER
    values = np.array([[1.0], [2.0]])
    assert outputs.decisions(values).tolist() == [1.0, 2.0]
    assert outputs.agreement(values, values + np.array([[0.0], [NUMBER.std]])) == 0.5
    assert outputs.scale == NUMBER.std
    assert math.isclose(Outputs(("a", "b")).scale, 1)
