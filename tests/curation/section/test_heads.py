"""Quick heads predict out of fold, and confident learning finds changed labels."""

import numpy as np
import pytest
from made_galleries import blobs, gallery

from tfxfer.curation.section.heads import confident_learning, heads_of


def test_heads_predict_images_that_they_were_not_trained_on():
    features, labels = blobs()
    shares = heads_of(gallery(features, labels), 0.01, 3, 0)(np.arange(60), labels)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares.argmax(axis=1) == labels).all()
    # An image of which all others have another label cannot know its own.
    alone = np.zeros(60, np.int64)
    alone[7] = 1
    assert heads_of(gallery(features, alone), 0.01, 2, 0)(np.arange(60), alone)[7, 1] < 0.1


def test_exact_duplicates_are_in_one_fold():
    features, labels = blobs()
    features[1] = features[0]
    labels = np.array([2, *labels[1:]])  # its duplicate would tell it
    shares = heads_of(gallery(features, labels), 0.01, 3, 0)(np.arange(60), labels)
    assert shares[1, 0] == pytest.approx(shares[0, 0])


def test_without_a_penalty_or_with_too_many_numbers_there_are_no_heads():
    made = gallery(*blobs())
    assert heads_of(made, None, 3, 0) is None
    assert heads_of(made, 0.01, 1_000_000, 0) is None


@pytest.mark.slow  # cleanlab imports pandas and scikit-learn
def test_confident_learning_finds_what_cleanlab_finds():
    from cleanlab.filter import find_label_issues

    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 25)
    shares = generator.dirichlet(np.ones(4), 100) + 2 * np.eye(4)[labels]
    changed = generator.choice(100, 12, replace=False)
    labels[changed] = (labels[changed] + 1) % 4
    shares /= shares.sum(axis=1, keepdims=True)
    expected = find_label_issues(
        labels,
        shares,
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    found = confident_learning(labels, shares)
    np.testing.assert_array_equal(found, expected)
    assert len(set(found) & set(changed)) >= 8


def test_a_single_example_of_each_class_is_not_suspicious():
    assert confident_learning(np.array([0, 1]), np.array([[0.9, 0.1], [0.4, 0.6]])).tolist() == []
