"""Near copies are found, and different images of one class are not called copies."""

import numpy as np
from made_galleries import blobs, gallery

from tfxfer.curation.near_copies import NUM_NEIGHBORS, near_groups, relative_distances
from tfxfer.curation.neighbors import directions, nearest

NONE_ALIKE = np.arange(1000)


def groups_of(made, alike=None):
    neighbors = nearest(directions(made.features), made.units, NUM_NEIGHBORS)
    alike = NONE_ALIKE[: len(made)] if alike is None else np.asarray(alike)
    return near_groups(neighbors, made.units, made.labels, alike)


def members(groups):
    return [one.members.tolist() for one in groups]


def wide_blobs():
    return blobs(num_features=64)


def test_different_images_of_a_class_are_no_near_copies():
    assert groups_of(gallery(*wide_blobs())) == []


def test_images_that_are_much_nearer_than_others_of_their_class_are():
    features, labels = wide_blobs()
    generator = np.random.default_rng(1)
    for copy, of in ((7, 3), (8, 3), (50, 41)):
        features[copy] = features[of] + 0.03 * generator.normal(size=64)
    groups = groups_of(gallery(features, labels))
    assert sorted(members(groups)) == [[3, 7, 8], [41, 50]]
    closeness = [one.closeness for one in groups]
    assert closeness == sorted(closeness)
    assert 0 < closeness[0] < 1 / 3


def test_the_scale_is_the_distance_to_the_20th_neighbor_or_the_middle_of_a_small_class():
    rows = directions(blobs(num_each=60, num_features=64)[0])
    labels = np.repeat([0, 1, 2], [100, 71, 9])
    distances = 1 - rows.astype(np.float64) @ rows.T
    np.fill_diagonal(distances, np.inf)
    ordered = np.sort(distances, axis=1)
    neighbors = nearest(rows, np.arange(180), 20)
    found = relative_distances(neighbors, np.arange(180), labels)
    assert np.isinf(found[171:]).all()  # too small
    labels = np.repeat([0, 1, 2], [100, 64, 16])
    found = relative_distances(neighbors, np.arange(180), labels)
    last = np.where(labels == 2, ordered[:, 7], ordered[:, 19])
    for image in (0, 110, 175):
        for place in (0, 7, 19):
            other = neighbors.indices[image, place]
            expected = distances[image, other] / np.sqrt(last[image] * last[other])
            np.testing.assert_allclose(found[image, place], expected, rtol=1e-4)


def test_different_images_of_small_and_distant_classes_are_no_near_copies():
    for num_each in (3, 7, 14):
        features, labels = blobs(num_each, num_features=64, spread=0.05)
        assert groups_of(gallery(features, labels)) == []


def test_perceptual_hashes_find_what_features_do_not():
    features, labels = wide_blobs()
    alike = np.arange(60)
    alike[30] = 2
    (group,) = groups_of(gallery(features, labels), alike)
    assert group.members.tolist() == [2, 30]
    assert group.closeness == np.inf


def test_exact_duplicates_and_groups_of_the_data_are_no_near_copies_by_themselves():
    features, labels = wide_blobs()
    features[1] = features[0]
    features[3] = features[2] + 0.01
    groups = ["patient" if number in (2, 3) else "" for number in range(60)]
    alike = np.arange(60)
    alike[3] = 2
    assert groups_of(gallery(features, labels, groups=groups), alike) == []
    # With a near copy, all of its exact duplicates are in the group.
    features[5] = features[0] + 0.01
    assert members(groups_of(gallery(features, labels, groups=groups))) == [[0, 1, 5]]


def test_of_few_images_only_hashes_tell():
    made = gallery(np.eye(5) + 0.1, [0, 1, 0, 1, 0])
    made.features[1] = made.features[0] + 1e-4
    assert groups_of(made) == []
    assert members(groups_of(made, [0, 0, 1, 2, 3])) == [[0, 1]]
