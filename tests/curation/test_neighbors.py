"""The nearest neighbors, against all distances."""

import numpy as np
import pytest

from tfxfer.curation import neighbors
from tfxfer.curation.neighbors import directions, nearest


@pytest.fixture
def rows():
    return directions(np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32))


@pytest.mark.parametrize("block", [2**25, 100])
def test_they_are_those_of_all_cosines(rows, block, monkeypatch):
    monkeypatch.setattr(neighbors, "_BLOCK", block)
    cosines = rows.astype(np.float64) @ rows.T.astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    found = nearest(rows, np.arange(40), 6)
    np.testing.assert_array_equal(found.indices, np.argsort(-cosines, axis=1)[:, :6])
    expected = np.sort(cosines, axis=1)[:, ::-1][:, :6]
    np.testing.assert_allclose(found.similarities, expected, atol=1e-6)
    np.testing.assert_allclose(found.distances, 1 - expected, atol=1e-6)


def test_images_of_one_unit_are_no_neighbors_of_each_other(rows):
    units = np.arange(40) // 2
    found = nearest(rows, units, 5)
    assert (units[found.indices] != units[:, None]).all()


def test_there_may_be_fewer_neighbors_than_asked(rows):
    found = nearest(rows[:4], np.array([0, 0, 0, 1]), 5)
    assert sorted(found.indices[3]) == [0, 1, 2]
    assert found.indices[0].tolist() == [3, -1, -1]
    assert found.similarities[0, 1:].tolist() == [-1, -1]


def test_an_image_without_features_is_far_from_all():
    found = nearest(directions(np.eye(3, dtype=np.float32) * [[0], [1], [1]]), np.arange(3), 2)
    np.testing.assert_array_equal(found.similarities[0], [0, 0])


def test_a_single_image_has_no_neighbor():
    assert nearest(np.ones((1, 2), np.float32), np.zeros(1, np.int64), 3).indices.tolist() == [[-1]]
