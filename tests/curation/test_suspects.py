"""Labels that look wrong are found, and right ones are not."""

import numpy as np
import pytest
from made_galleries import blobs, gallery

from tfxfer.curation.neighbors import directions, nearest
from tfxfer.curation.suspects import NUM_VOTES, judge_labels


def judged(made):
    return judge_labels(made, nearest(directions(made.features), made.units, NUM_VOTES), 0)


def test_of_right_labels_none_looks_wrong():
    found = judged(gallery(*blobs()))
    assert found.suspects.tolist() == []
    assert (found.scores > 0.5).all()
    assert found.small_classes == ()


@pytest.mark.parametrize("seed", range(3))
def test_changed_labels_are_the_suspects_with_their_old_label_suggested(seed):
    features, labels = blobs(seed=seed)
    changed = np.random.default_rng(seed).choice(len(labels), 6, replace=False)
    given = labels.copy()
    given[changed] = (labels[changed] + 1) % 3
    found = judged(gallery(features, given))
    assert sorted(found.suspects) == sorted(changed)
    np.testing.assert_array_equal(found.suggested, labels)
    scores = found.scores[found.suspects]
    assert (np.diff(scores) >= 0).all()  # the most suspicious first
    assert scores.max() < found.scores[np.setdiff1d(np.arange(60), changed)].min()


def test_a_label_is_not_judged_by_the_others_of_its_group():
    """Photographs of one patient that are all labeled wrong do not vouch for each other."""
    features, labels = blobs(spread=0.2)
    given, groups = labels.copy(), [""] * len(labels)
    for number in range(4):
        features[number] = features[0]
        features[number, 7] += 0.01 * number
        given[number], groups[number] = 2, "patient"
    found = judged(gallery(features, given, groups=groups))
    assert set(found.suspects) >= {0, 1, 2, 3}
    assert (found.suggested[:4] == 0).all()


def test_a_class_of_one_image_is_not_judged_and_the_others_are():
    features, labels = blobs()
    given = np.append(labels, 3)
    given[5] = 1
    found = judged(gallery(np.vstack([features, np.full(8, 5.0)]), given))
    assert found.small_classes == (3,)
    assert np.isnan(found.scores[-1])
    assert found.suspects.tolist() == [5]


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0], [0]])
def test_too_few_images_are_not_judged(labels):
    found = judged(gallery(np.eye(3)[: len(labels)], labels))
    assert len(found.suspects) == 0
    assert found.small_classes == tuple(sorted(set(labels)))
    assert np.isnan(found.scores).all()


def test_nine_images_of_three_classes_are_judged():
    found = judged(gallery(*blobs(num_each=3)))
    assert np.isfinite(found.scores).all()
    assert found.suspects.tolist() == []
