"""Out-of-fold probabilities of several divisions."""

import numpy as np
import pytest
from made_galleries import blobs, gallery

from tfxfer.curation import out_of_fold
from tfxfer.curation.out_of_fold import mean_out_of_fold
from tfxfer.data.carving import deal
from tfxfer.ranking import cross_validation


@pytest.mark.slow
def test_they_are_the_mean_of_three_divisions_with_groups_kept_together():
    features, labels = blobs(spread=0.8)
    groups = [f"patient {number // 2}" for number in range(60)]
    made = gallery(features, labels, groups=groups)
    chosen = np.arange(4, 60)
    total = 0
    for division in range(3):
        folds = deal(labels[chosen], made.digests[chosen], 5, (7, division), groups[4:])
        assert (folds[::2] == folds[1::2]).all()
        labeled = cross_validation.Labeled(labels[chosen], folds, made.units[chosen], 3)
        total = total + cross_validation.out_of_fold(features[chosen], labeled)
    found = mean_out_of_fold(made, chosen, labels[chosen], 7)
    np.testing.assert_allclose(found, total / 3, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("limit", "divisions"), [(59, 1), (60, 3)])
def test_many_images_are_divided_once(limit, divisions, monkeypatch):
    calls = []
    of_one = out_of_fold.out_of_fold

    def counted(*arguments):
        calls.append(1)
        return of_one(*arguments)

    monkeypatch.setattr(out_of_fold, "out_of_fold", counted)
    monkeypatch.setattr(out_of_fold, "_MANY_IMAGES", limit)
    features, labels = blobs()
    mean_out_of_fold(gallery(features, labels), np.arange(60), labels, 0)
    assert len(calls) == divisions
