"""Outliers of a class, by Tukey's fence on the distance to the tenth neighbor."""

import numpy as np
from made_galleries import blobs, gallery

from tfxfer.curation.neighbors import directions
from tfxfer.curation.outliers import outliers_of


def test_what_looks_like_nothing_else_in_its_class_is_an_outlier():
    features, labels = blobs(num_each=40, spread=0.2)
    features[10] = [5, 0, 0, 0, 0, 0, 0, 9]
    features[90] = features[3]  # a fine member of another class
    made = gallery(features, labels)
    rows = directions(features)
    found = outliers_of(made, rows)
    assert set(found.images[:2]) == {10, 90}
    assert (np.diff(found.excess) <= 0).all()
    for image, excess in zip(found.images, found.excess):
        own = np.flatnonzero(labels == labels[image])
        distances = np.sort(1 - rows[own].astype(np.float64) @ rows[own].T, axis=1)[:, 10]
        low, high = np.quantile(distances, [0.25, 0.75])
        expected = (distances[own == image][0] - high) / (high - low)
        np.testing.assert_allclose(excess, expected, rtol=1e-3)
        assert expected > 1.5


def test_a_small_class_has_no_outliers():
    features, labels = blobs(num_each=7)
    features[3] = [0, 0, 0, 0, 0, 0, 0, 9]
    assert len(outliers_of(gallery(features, labels), directions(features)).images) == 0


def test_a_class_of_eight_is_judged_by_the_neighbor_in_the_middle():
    features, labels = blobs(num_each=8, spread=0.1)
    features[3] = [0, 0, 0, 0, 0, 0, 0, 9]
    assert 3 in outliers_of(gallery(features, labels), directions(features)).images
