"""Uncertain images: small margins, far from each other."""

import numpy as np
from made_galleries import blobs

from tfxfer.curation.labeling.uncertain import choose_uncertain, margins_of
from tfxfer.curation.neighbors import directions


def test_a_margin_is_the_difference_of_the_two_highest():
    shares = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4], [1.0, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(margins_of(shares), [0.2, 0.0, 1.0], atol=1e-7)


def test_the_least_margin_comes_first_and_only_small_ones_come_at_all():
    rows = directions(np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32))
    margins = np.random.default_rng(1).permutation(100) / 100
    chosen = choose_uncertain(rows, margins, 5, seed=0)
    assert chosen[0] == margins.argmin()
    assert (margins[chosen] < 0.5).all()  # ten times five candidates
    assert len(set(chosen.tolist())) == 5


def test_they_are_unlike_each_other():
    features, labels = blobs(num_each=25, num_classes=4, spread=0.01)
    margins = np.where(np.arange(100) % 25 < 10, 0.1, 0.9)
    for seed in range(10):
        chosen = choose_uncertain(directions(features), margins, 4, seed)
        assert sorted(labels[chosen]) == [0, 1, 2, 3]


def test_a_seed_decides_and_all_can_be_chosen_even_of_one_image():
    rows = directions(np.ones((6, 4), np.float32))
    margins = np.array([0.3, 1.0, 1.0, 0.0, 1.0, 1.0])
    one, again = (choose_uncertain(rows, margins, 6, seed=2) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert sorted(one) == list(range(6))
