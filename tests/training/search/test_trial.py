import dataclasses
import math
import shutil

import numpy as np
import pytest
from conftest import small_config, trained_alone

from tfxfer.data.batches import evaluation_batches
from tfxfer.errors import InterruptionError
from tfxfer.evaluation.calibration import apply_temperature, fit_temperature
from tfxfer.planning.plan import make_plan
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epochs, read_history
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session
from tfxfer.training.epochs.state import generator_states
from tfxfer.training.head_phase import train_head
from tfxfer.training.search.choosing import Trial
from tfxfer.training.search.trial import Laboratory, Start, trials_as_state, trials_of_state
from tfxfer.training.transfer import prepare_fit

# A strong penalty leaves the head a loss that fine-tuning can lower.
SETTINGS = {
    "effort": "standard",
    "head": {"epochs": 5, "penalty": 3.0, "dropout": 0.5},
    "finetune": {"epochs": 2},
}


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


@pytest.fixture
def doubted(pictures, weights_file, tmp_path):
    """As `shared`, with a wrong label in validation: otherwise there is no temperature to fit."""
    folder = tmp_path / "doubted"
    shutil.copytree(pictures, folder)
    picture = min((folder / "validation" / "blue").iterdir())
    picture.rename(folder / "validation" / "green" / f"wrong-{picture.name}")
    return laboratory(small_config(folder, weights_file, tmp_path, run="doubted", **SETTINGS))


def run(laboratory, portfolio, way, best=None):
    """Runs a trial, which must surpass an epoch; returns it and its journal."""
    parent = laboratory.given.journal
    rank = laboratory.given.classifiers.trained.objective.rank
    epochs = Epochs(rank, best or parent.history.best)
    journal = TrialJournal(parent, epochs, lambda state, arrays: Checkpoint(state, arrays))
    begun = Checkpoint({"epoch": 0, "step": 0, "waited": 0})
    head = laboratory.head_alone(portfolio.ways[0])
    return laboratory.run(way, journal, begun, head), journal


def arrays_of(laboratory):
    return laboratory.given.classifiers.trained.model.get_weights()


@pytest.mark.slow
def test_a_trial_is_the_finetune_phase_of_its_settings(shared, pictures, weights_file, tmp_path):
    one, portfolio = shared
    # All of the backbone first: the next trial must find its frozen part as it was.
    for name, way in (("one", portfolio.ways[1]), ("other", portfolio.ways[0])):
        found, journal = run(one, portfolio, way)
        settings = {
            **SETTINGS,
            "effort": "quick",
            "finetune": {
                key: getattr(way.finetune, key)
                for key in ("epochs", "warmup_epochs", "unfreeze", "learning_rate", "layer_decay")
            },
            "augment": {key: getattr(way.augment, key) for key in ("shift", "zoom", "rotation")},
        }
        config = small_config(pictures, weights_file, tmp_path, run=name, **settings)
        trained = trained_alone(config)
        directory = RunDirectory(tmp_path / "runs" / name)
        theirs = [epoch for epoch in read_history(directory) if epoch.phase == "finetune"]
        ours = journal.history.epochs
        assert [dataclasses.replace(epoch, seconds=0) for epoch in ours] == [
            dataclasses.replace(epoch, seconds=0) for epoch in theirs
        ]
        for array, other in zip(journal.best.arrays, trained.model.get_weights(), strict=True):
            np.testing.assert_array_equal(array, other)
        assert found.best_epoch == trained.metrics.best.epoch


@pytest.mark.slow
def test_the_state_before_the_search_is_restored_bit_for_bit(shared):
    one, portfolio = shared
    one.restore()
    weights, model = arrays_of(one), one.given.classifiers.trained.model
    generators = generator_states(model)
    run(one, portfolio, portfolio.ways[1])
    assert any(
        not np.array_equal(ours, theirs)
        for ours, theirs in zip(arrays_of(one), weights, strict=True)
    )
    one.restore()
    for ours, theirs in zip(arrays_of(one), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(generator_states(model), generators, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_head_alone_has_the_loss_of_its_best_weights_after_temperature_scaling(doubted):
    one, portfolio = doubted
    found = one.head_alone(portfolio.ways[0])
    given = one.given
    model, images = given.classifiers.exact.with_probabilities(), given.images["validation"]
    probabilities = model.predict(evaluation_batches(images, 4), verbose=0)
    temperature = fit_temperature(probabilities, images.labels)
    assert temperature != 1
    probabilities = apply_temperature(probabilities, temperature)
    expected = -np.log(probabilities[np.arange(len(images)), images.labels])
    assert found.losses == pytest.approx(expected, rel=1e-3)
    assert found.loss <= given.journal.history.best.validation_loss


def test_under_balanced_weights_rare_classes_count_as_much(shared):
    one, portfolio = shared
    given = one.given
    # Only the evaluation is weighted here: a third class that is rare on validation.
    images = given.images["validation"]
    rare = images.without(np.flatnonzero(images.split.labels == 2)[1:])
    changed = dataclasses.replace(given, images={**given.images, "validation": rare})
    plain = Laboratory(changed, one.start).head_alone(portfolio.ways[0])
    config = dataclasses.replace(given.config, class_weights="balanced")
    weighted = dataclasses.replace(changed, config=config)
    found = Laboratory(weighted, one.start).head_alone(portfolio.ways[0])
    by_class = [plain.losses[rare.labels == number].mean() for number in range(3)]
    assert found.loss == pytest.approx(np.mean(by_class), rel=1e-6)


@pytest.mark.slow
def test_a_trial_that_diverges_has_an_infinite_loss(shared):
    one, portfolio = shared
    way = portfolio.ways[1]
    wild = dataclasses.replace(
        way,
        finetune=dataclasses.replace(
            way.finetune, optimizer="sgd", learning_rate=1e30, clip_norm=0.0
        ),
    )
    found, journal = run(one, portfolio, wild)
    assert found.loss == math.inf
    assert len(found.losses) == 9
    assert journal.best is None
    assert math.isfinite(run(one, portfolio, way)[0].loss)


@pytest.mark.slow
def test_a_way_without_a_better_epoch_has_the_scores_of_the_head(shared):
    one, portfolio = shared
    history = one.given.journal.history
    right = dataclasses.replace(history.best, validation_accuracy=1.0, validation_loss=0.0)
    found, journal = run(one, portfolio, portfolio.ways[0], right)
    assert journal.best is None
    assert found.best_epoch == 0
    np.testing.assert_array_equal(found.losses, one.head_alone(portfolio.ways[0]).losses)


def test_a_signal_ends_a_trial_after_its_step(shared):
    one, portfolio = shared
    one.given.journal.interruptions.received = 2
    with pytest.raises(InterruptionError):
        run(one, portfolio, portfolio.ways[0])
    one.given.journal.interruptions.received = None


def test_trials_come_back_from_a_checkpoint():
    trials = [
        Trial("head alone", 0, 0, np.array([0.1, 0.2]), np.array([True, False]), 0.5, 1.25),
        Trial("all at 0.001", 2, 1, np.full(2, math.inf), np.zeros(2, bool), 0.0, 2.5),
    ]
    facts, arrays = trials_as_state(trials)
    again = trials_of_state({"trials": facts}, arrays)
    without = {"losses": 0, "hits": 0}
    for one, other in zip(trials, again, strict=True):
        np.testing.assert_array_equal(one.losses, other.losses)
        np.testing.assert_array_equal(one.hits, other.hits)
        assert vars(one) | without == vars(other) | without
    assert trials_of_state({}, {}) == []
