"""A coreset lies close to all rows."""

import numpy as np

from tfxfer.evaluation.coreset import coreset


def furthest(rows, kept):
    gaps = np.linalg.norm(rows[:, None] - rows[kept][None], axis=2)
    return gaps.min(axis=1).max()


def test_it_covers_all_better_than_a_random_choice():
    generator = np.random.default_rng(0)
    centers = generator.normal(size=(20, 16)) * 10
    rows = centers[generator.geometric(0.3, 500).clip(1, 20) - 1]
    rows = (rows + generator.normal(size=rows.shape)).astype(np.float32)
    kept = coreset(rows, 25, seed=1)
    assert len(set(kept.tolist())) == 25
    assert (np.diff(kept) > 0).all()
    random = generator.permutation(500)[:25]
    assert furthest(rows, kept) < 0.7 * furthest(rows, random)


def test_it_is_the_greedy_one_where_all_directions_are_there():
    rows = np.random.default_rng(2).normal(size=(60, 5)).astype(np.float32)
    kept = coreset(rows, 7, seed=0)
    first = int(np.random.default_rng(0).integers(60))
    expected = [first]
    for _ in range(6):
        gaps = np.linalg.norm(rows[:, None] - rows[expected][None], axis=2).min(axis=1)
        expected.append(int(gaps.argmax()))
    assert sorted(expected) == kept.tolist()


def test_few_rows_are_all_kept_and_many_features_are_no_trouble():
    rows = np.random.default_rng(2).normal(size=(40, 300)).astype(np.float32)
    assert coreset(rows, 40, seed=0).tolist() == list(range(40))
    assert len(coreset(rows, 10, seed=0)) == 10
    same = np.ones((30, 4), np.float32)
    assert len(set(coreset(same, 10, seed=0).tolist())) == 10
