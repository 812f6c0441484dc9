"""What a model says of an image besides probabilities."""

import numpy as np
import pytest

from tfxfer.inference.caution import Caution, distances, read_caution
from tfxfer.runs.scores.caution import CautionRecord

RECORD = CautionRecord(0.05, 3, 40, 1.0, 0.9, 0.2, "test", 100, True)


@pytest.fixture
def caution():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(40, 6)).astype(np.float32)
    mean, scale = generator.uniform(1, 2, (2, 6)).astype(np.float32)
    return Caution(rows, mean, scale, RECORD)


def test_the_score_is_the_distance_to_the_neighbor_of_that_rank(caution):
    features = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    found = caution.scores(features)
    for one, score in zip(features, found, strict=True):
        standardized = (one - caution.mean) / caution.scale
        gaps = [np.sqrt(np.mean((standardized - row) ** 2)) for row in caution.rows]
        assert score == pytest.approx(sorted(gaps)[2], abs=1e-5)


def test_limits_decide(caution):
    features = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    shares = np.array([[0.2, 0.7, 0.1], [0.1, 0.8, 0.1]] * 25, np.float32)
    judged = caution.judge(features, shares)
    np.testing.assert_array_equal(judged.unknown, judged.score > 1.0)
    assert 0 < judged.unknown.sum() < 50
    np.testing.assert_array_equal(judged.in_set[:2], [[True, True, False], [False, True, False]])


def test_an_image_is_at_no_distance_from_itself(caution):
    rows = caution.rows * caution.scale + caution.mean
    own = distances((rows - caution.mean) / caution.scale, caution.rows, 1)
    np.testing.assert_allclose(own, 0, atol=1e-3)


def test_a_file_has_it_all_and_a_corrupt_one_nothing(caution, tmp_path):
    path = tmp_path / "model.caution.npz"
    assert read_caution(path) is None
    caution.write(path)
    found = read_caution(path)
    assert found.record == RECORD
    for name in ("rows", "mean", "scale"):
        np.testing.assert_array_equal(getattr(found, name), getattr(caution, name))
    path.write_bytes(path.read_bytes()[:200])
    assert read_caution(path) is None
