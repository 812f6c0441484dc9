"""What a model says of an image besides probabilities."""

import numpy as np
import pytest

from tfxfer.inference.caution import Caution, distances, read_caution, unit_rows
from tfxfer.runs.scores.caution import CautionRecord

RECORD = CautionRecord(0.05, 3, 40, 0.25, 0.9, 0.2, "test", 100, True)


@pytest.fixture
def caution():
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    return Caution(unit_rows(rows), RECORD)


def test_the_score_is_the_distance_to_the_neighbor_of_that_rank(caution):
    features = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    found = distances(features, caution.rows, 3)
    for one, score in zip(features, found, strict=True):
        cosines = [one @ row / np.linalg.norm(one) for row in caution.rows]
        assert score == pytest.approx(1 - sorted(cosines)[-3], abs=1e-6)


def test_limits_decide(caution):
    features = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    shares = np.array([[0.2, 0.7, 0.1], [0.1, 0.8, 0.1]] * 25, np.float32)
    judged = caution.judge(features, shares)
    np.testing.assert_array_equal(judged.unknown, judged.score > 0.25)
    assert 0 < judged.unknown.sum() < 50
    np.testing.assert_array_equal(judged.in_set[:2], [[True, True, False], [False, True, False]])


def test_no_features_at_all_are_far_from_everything(caution):
    assert distances(np.zeros((1, 6), np.float32), caution.rows, 1)[0] == 1


def test_a_file_has_it_all_and_a_corrupt_one_nothing(caution, tmp_path):
    path = tmp_path / "model.caution.npz"
    assert read_caution(path) is None
    caution.write(path)
    found = read_caution(path)
    assert found.record == RECORD
    np.testing.assert_array_equal(found.rows, caution.rows)
    path.write_bytes(path.read_bytes()[:200])
    assert read_caution(path) is None
