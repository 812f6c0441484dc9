"""`fit --folds`: an estimate whose interval holds for new images."""

import json

import numpy as np
import pytest
import sklearn.datasets
from conftest import small_config
from messages import parts

from tfxfer.api.fit import describe_plan, fit
from tfxfer.data.carving import deal
from tfxfer.errors import UsageError
from tfxfer.ranking.cross_validation import fitted_head, out_of_fold
from tfxfer.ranking.folding.heads import interval_of_accuracy
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.system.digests import ids_of


@pytest.mark.slow
def test_estimates_hold_for_images_that_were_held_back_in_18_of_20_draws():
    features, labels = sklearn.datasets.load_digits(return_X_y=True)
    features, hits = features.astype(np.float32), 0
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(labels))
        own, others = order[:250], order[250:]
        digests = ids_of((features[one].tobytes(),) for one in own)
        folds = deal(labels[own], digests, 5, (seed, 0))
        labeled = Labeled(labels[own], folds, np.arange(250), 10)
        scores = HeadScores.of(out_of_fold(features[own], labeled), labeled)
        rest, last = folds < 4, folds == 4
        halves = [(features[own][part], labels[own][part]) for part in (rest, last)]
        shares = fitted_head(*halves, 10)(features[others])
        accuracy = (shares.argmax(axis=1) == labels[others]).mean()
        hits += scores.interval[0] <= accuracy <= scores.interval[1]
    assert hits >= 18


@pytest.fixture(scope="module")
def both(pictures, weights_file, tmp_path_factory):
    """The same fit with and without folds: result and what was said."""
    found = {}
    for folds in (0, 3):
        folder = tmp_path_factory.mktemp(f"folds{folds}")
        settings = {"head": {"epochs": 2}, "finetune": {"epochs": 1}, "folds": folds}
        config = small_config(pictures, weights_file, folder, run="same", **settings)
        lines = []
        found[folds] = fit(config, say=lines.append), lines
    return found


@pytest.mark.slow
def test_the_estimate_is_said_first_and_stands_everywhere(both):
    result, lines = both[3]
    told = result.metrics["folds"]
    assert (told["num_folds"], told["num_examples"]) == (3, 30)
    low, high = told["interval"]
    assert low <= told["accuracy"] <= high
    assert "3 folds of 30 training and validation images" in lines[0]
    assert lines[1].startswith(f"folds           accuracy {told['accuracy']:.4f} (95% interval")
    assert f"cross-validated accuracy {told['accuracy']:.4f}" in lines[-2]
    for name in ("report.html", "README.md"):
        assert "Cross-validation: accuracy" in (result.run / name).read_text("utf-8")
    assert json.loads((result.run / "metrics.json").read_text())["folds"] == told
    assert result.metrics["seconds"]["folds"] > 0


@pytest.mark.slow
def test_a_fit_on_few_images_says_how_certain_validation_is(both):
    _, lines = both[0]
    for part in ("9 images", "95% interval 0.", "--folds 5"):
        assert part in lines[-2]


def test_the_interval_of_validation_is_that_of_wilson(trained_small):
    images, probabilities = trained_small
    low, high = interval_of_accuracy(images, probabilities)
    right = (probabilities.argmax(axis=1) == images.labels).mean()
    n, z = 9, 1.96
    middle = (right + z**2 / (2 * n)) / (1 + z**2 / n)
    assert (low + high) / 2 == pytest.approx(middle, abs=1e-6)


@pytest.fixture
def trained_small(pictures):
    from tfxfer.data.image.dataset import Images
    from tfxfer.data.opening import open_as_it_is

    split = open_as_it_is(str(pictures)).splits["validation"]
    images = Images(split, 32, by_content=True)
    shares = np.full((9, 3), 0.1)
    shares[np.arange(9), images.labels] = 0.8
    shares[:3] = [0.1, 0.2, 0.7]
    return images, shares


def test_too_few_images_and_too_little_memory_are_said(pictures, weights_file, tmp_path):
    config = small_config(pictures, weights_file, tmp_path, folds=40)
    with pytest.raises(
        UsageError, match=parts("'folds' (--folds) divides ... 40 folds ... 30 for")
    ):
        fit(config, say=lambda _: None)
    config = small_config(pictures, weights_file, tmp_path, folds=3, memory_gigabytes=1e-6)
    with pytest.raises(UsageError, match="--memory-gigabytes"):
        fit(config, say=lambda _: None)
    assert "3 folds of 30" in describe_plan(config)
