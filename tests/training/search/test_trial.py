import dataclasses
import math

import numpy as np
import pytest
from conftest import small_config, trained_alone

from tfxfer.data.batches import evaluation_batches
from tfxfer.errors import InterruptionError
from tfxfer.planning.plan import make_plan
from tfxfer.runs.history import read_history
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.state import generator_states
from tfxfer.training.head_phase import train_head
from tfxfer.training.preparation import Session
from tfxfer.training.search.halving import Trial
from tfxfer.training.search.trial import Laboratory, Start, trials_as_state, trials_of_state
from tfxfer.training.transfer import prepare_fit

SETTINGS = {"effort": "standard", "head": {"epochs": 5, "penalty": 3.0, "dropout": 0.5}}


def laboratory(config):
    """Returns what the trials of a fit share once its head is trained, and its plan."""
    plan = make_plan(config)
    classifier = plan.build_classifier(plan.config.weights)
    fitting = prepare_fit(plan, classifier, Session(Interruptions(), lambda _: None))
    given = fitting.materials
    start = train_head(given).start
    weights, generators = given.journal.best.arrays, generator_states(classifier.model)
    return Laboratory(given, Start(weights, start, generators)), plan.portfolio


@pytest.fixture(scope="module")
def shared(pictures, weights_file, tmp_path_factory):
    # One for all tests: each trial starts from the same state.
    folder = tmp_path_factory.mktemp("trials")
    return laboratory(small_config(pictures, weights_file, folder, run="trials", **SETTINGS))


def arrays_of(laboratory):
    return laboratory.given.classifiers.trained.model.get_weights()


@pytest.mark.slow
def test_a_trial_is_the_finetune_phase_of_its_schedule(shared, pictures, weights_file, tmp_path):
    one, portfolio = shared
    # All of the backbone first: the next trial must find its frozen part as it was. The last way
    # has no augmentation but flips.
    trials = {way.name: one.run(way, 1, 2) for way in (portfolio.ways[3], portfolio.ways[4])}
    for way in (portfolio.ways[3], portfolio.ways[4]):
        settings = {
            **SETTINGS,
            "effort": "quick",
            "finetune": {
                key: getattr(way.schedule(2), key)
                for key in ("epochs", "warmup_epochs", "unfreeze", "learning_rate")
            },
            "augment": {key: getattr(way.augment, key) for key in ("shift", "zoom", "rotation")},
        }
        config = small_config(
            pictures, weights_file, tmp_path, run=way.finetune.unfreeze, **settings
        )
        trained_alone(config)
        epochs = read_history(RunDirectory(tmp_path / "runs" / way.finetune.unfreeze))
        best = min(epochs[-2:], key=lambda epoch: epoch.validation_loss)
        found = trials[way.name]
        assert found.loss == pytest.approx(best.validation_loss, rel=1e-9)
        assert found.accuracy == best.validation_accuracy


def test_the_state_before_the_search_is_restored_bit_for_bit(shared):
    one, portfolio = shared
    one.restore()
    weights, model = arrays_of(one), one.given.classifiers.trained.model
    generators = generator_states(model)
    one.run(portfolio.ways[3], 1, 1)
    assert any(
        not np.array_equal(ours, theirs)
        for ours, theirs in zip(arrays_of(one), weights, strict=True)
    )
    one.restore()
    for ours, theirs in zip(arrays_of(one), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(generator_states(model), generators, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_head_alone_has_the_loss_of_its_best_weights(shared):
    one, portfolio = shared
    found = one.head_alone(portfolio.ways[0])
    given = one.given
    model, images = given.classifiers.exact.with_probabilities(), given.images["validation"]
    probabilities = model.predict(evaluation_batches(images, 4), verbose=0)
    expected = -np.log(probabilities[np.arange(len(images)), images.labels])
    assert found.losses == pytest.approx(expected, rel=1e-3)
    assert found.loss == pytest.approx(given.journal.history.best.validation_loss, rel=1e-3)


def test_under_balanced_weights_rare_classes_count_as_much(shared):
    one, portfolio = shared
    plain = one.head_alone(portfolio.ways[0])
    given = one.given
    # Only the evaluation is weighted here: a third class that is rare on validation.
    images = given.images["validation"]
    rare = images.without(np.flatnonzero(images.split.labels == 2)[1:])
    config = dataclasses.replace(given.config, class_weights="balanced")
    changed = dataclasses.replace(given, config=config, images={**given.images, "validation": rare})
    found = Laboratory(changed, one.start).head_alone(portfolio.ways[0])
    losses = {digest.tobytes(): x for digest, x in zip(images.digests, plain.losses, strict=True)}
    same = np.array([losses[digest.tobytes()] for digest in rare.digests])
    by_class = [same[rare.labels == number].mean() for number in range(3)]
    assert found.loss == pytest.approx(np.mean(by_class), rel=1e-3)


def test_a_trial_that_diverges_has_an_infinite_loss(shared):
    one, portfolio = shared
    way = portfolio.ways[1]
    wild = dataclasses.replace(
        way,
        finetune=dataclasses.replace(
            way.finetune, optimizer="sgd", learning_rate=1e30, clip_norm=0.0
        ),
    )
    found = one.run(wild, 1, 1)
    assert found.loss == math.inf
    assert len(found.losses) == 9
    assert math.isfinite(one.run(way, 1, 1).loss)


def test_a_signal_ends_a_trial_after_its_step(shared):
    one, portfolio = shared
    one.given.journal.interruptions.received = 2
    with pytest.raises(InterruptionError):
        one.run(portfolio.ways[0], 1, 1)
    one.given.journal.interruptions.received = None


def test_trials_come_back_from_a_checkpoint():
    trials = [
        Trial("head alone", 0, 0, np.array([0.1, 0.2]), 0.5, 1.25),
        Trial("all at 0.001", 1, 2, np.array([math.inf, math.inf]), 0.0, 2.5),
    ]
    facts, losses = trials_as_state(trials)
    again = trials_of_state({"trials": facts}, {"losses": losses})
    for one, other in zip(trials, again, strict=True):
        np.testing.assert_array_equal(one.losses, other.losses)
        assert {**vars(one), "losses": 0} == {**vars(other), "losses": 0}
    assert trials_of_state({}, {}) == []
