"""Typical images: one of each cluster without a label, where images are densest."""

import numpy as np
import pytest
from made_galleries import blobs

from tfxfer.curation.labeling import typical
from tfxfer.curation.labeling.typical import choose_typical
from tfxfer.curation.neighbors import directions


@pytest.fixture(scope="module")
def four_blobs():
    features, labels = blobs(num_each=30, num_classes=4, spread=0.2)
    return directions(features), labels


def test_each_cluster_gives_one(four_blobs):
    rows, labels = four_blobs
    chosen = choose_typical(rows, rows[:0], 4, seed=0)
    assert sorted(labels[chosen]) == [0, 1, 2, 3]


def test_clusters_with_a_label_are_left_out(four_blobs):
    rows, labels = four_blobs
    known, rest = np.flatnonzero(labels < 2)[::30], np.flatnonzero(labels >= 2)
    pool = np.concatenate([np.flatnonzero(labels < 2)[1:20], rest])
    chosen = choose_typical(rows[pool], rows[known], 2, seed=0)
    assert sorted(labels[pool[chosen]]) == [2, 3]


def test_the_most_typical_image_is_the_densest(four_blobs):
    rows, labels = four_blobs
    own = rows[labels == 0]
    (chosen,) = choose_typical(own, own[:0], 1, seed=0)
    gaps = np.linalg.norm(own[:, None] - own[None], axis=2)
    means = np.sort(gaps, axis=1)[:, 1:16].mean(axis=1)  # half of the 30 images
    assert chosen == means.argmin()


def test_more_than_there_are_clusters_come_in_turn(four_blobs, monkeypatch):
    rows, labels = four_blobs
    monkeypatch.setattr(typical, "_MOST_CLUSTERS", 4)
    chosen = choose_typical(rows, rows[:0], 12, seed=0)
    assert len(set(chosen.tolist())) == 12
    assert np.bincount(labels[chosen]).tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize("many", [10, 10_000])
def test_a_seed_decides_and_all_can_be_chosen(four_blobs, monkeypatch, many):
    rows, _ = four_blobs
    monkeypatch.setattr(typical, "_MANY_IMAGES", many)
    one, again = (choose_typical(rows, rows[:3], 20, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    everything = choose_typical(rows[:9], rows[9:12], 9, seed=0)
    assert sorted(everything) == list(range(9))
