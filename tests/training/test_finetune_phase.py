import dataclasses

import keras
import numpy as np
import pytest
from conftest import small_config
from small_network import SMALL

from tfxfer.planning.plan import make_plan
from tfxfer.runs.journal import BestWeights
from tfxfer.system.signals import Interruptions
from tfxfer.training.classifier_pair import HEAD_ALONE, Trainable
from tfxfer.training.epochs.session import Session
from tfxfer.training.finetune_phase import finetune
from tfxfer.training.phases import Materials
from tfxfer.training.transfer import prepare_fit


@pytest.fixture
def materials(pictures, weights_file, tmp_path):
    """Returns what the phases of a fit of one epoch work with."""
    return materials_of(pictures, weights_file, tmp_path)


def materials_of(pictures, weights_file, tmp_path, **finetune):
    phase = {"epochs": 1, "learning_rate": 0.01} | finetune
    settings = {"head": {"epochs": 0}, "finetune": phase}
    plan = make_plan(small_config(pictures, weights_file, tmp_path, run="one", **settings))
    classifier = plan.build_classifier(plan.config.weights)
    given = prepare_fit(plan, classifier, Session(Interruptions(), lambda _: None)).materials
    assert isinstance(given, Materials)
    return given


def test_only_what_it_is_given_as_trainable_changes(materials):
    classifier = materials.classifiers.trained
    before = classifier.backbone.get_weights()
    finetune(materials, HEAD_ALONE, None)
    for ours, theirs in zip(classifier.backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert np.abs(classifier.head.get_weights()[0]).max() > 0
    assert materials.journal.notes.num_trained == 3 * SMALL.num_features + 3


def test_it_begins_at_the_head_it_is_given_and_the_best_weights_of_all_else(materials):
    classifier, journal = materials.classifiers.trained, materials.journal
    best = classifier.model.get_weights()
    best[0] = best[0] + 1.0
    journal.best = BestWeights("model", best)
    start = [np.full(weight.shape, 0.5, "float32") for weight in classifier.head.get_weights()]
    begun = []
    begin = journal.begin
    journal.begin = lambda phase, arrays=None: begun.append(arrays) or begin(phase, arrays)
    finetune(materials, Trainable("none", "frozen"), start)
    np.testing.assert_array_equal(begun[0]["start"][0], start[0])
    np.testing.assert_array_equal(classifier.model.get_weights()[0], best[0])
    # One epoch of three steps of at most 0.01 with adam, or of small gradients, is not far.
    assert np.abs(classifier.head.get_weights()[0] - 0.5).max() < 0.2


def test_the_predictor_gives_the_logits_of_the_classifier(materials):
    source = finetune(materials, Trainable("block_3", "frozen"), None)
    materials.classifiers.update_exact()
    pixels = np.array(materials.images["validation"].kept, "float32")
    expected = materials.classifiers.trained.model.predict(pixels, verbose=0)
    assert source.predictor("validation").outputs() == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_head_and_stages_are_trained_at_their_own_rates(pictures, weights_file, tmp_path):
    given = materials_of(
        pictures, weights_file, tmp_path, head_rate=0.1, layer_decay=1e-4, warmup_epochs=0.0
    )
    classifier = given.classifiers.trained
    start = [np.full(weight.shape, 0.5, "float32") for weight in classifier.head.get_weights()]
    before = {layer.name: layer.get_weights() for layer in classifier.backbone.layers}
    finetune(given, Trainable("block_2", "frozen"), start)
    # Three steps of Adam, of at most the learning rate each; weight decay is a thousandth of it.
    most = {
        name: max(
            np.abs(ours - theirs).max()
            for ours, theirs in zip(layer.get_weights(), before[name], strict=True)
        )
        for name in ("block_1_conv", "block_2_conv", "block_3_conv")
        for layer in [classifier.backbone.get_layer(name)]
    }
    assert most["block_1_conv"] == 0
    assert 0.1e-6 < most["block_2_conv"] < 3.1e-6
    assert 0.1e-2 < most["block_3_conv"] < 3.1e-2
    assert 0.1e-3 < np.abs(classifier.head.get_weights()[0] - 0.5).max() < 3.1e-3


@pytest.mark.slow
def test_mixed_images_are_trained_on_and_their_accuracy_is_that_of_their_targets(
    pictures, weights_file, tmp_path
):
    given = materials_of(pictures, weights_file, tmp_path, epochs=2, unfreeze="block_3")
    augment = dataclasses.replace(given.config.augment, mixup=1.0)
    given = dataclasses.replace(given, config=dataclasses.replace(given.config, augment=augment))
    finetune(given, Trainable.of(given.config.finetune), None)
    last = given.journal.history.epochs[-1]
    assert 0 < last.train_accuracy < 1
    assert 0 < last.train_loss < 2
    assert last.validation_accuracy in {number / 12 for number in range(13)}


@pytest.mark.slow
def test_images_that_are_only_mirrored_pass_the_frozen_half_once(pictures, weights_file, tmp_path):
    losses = {}
    for name, gigabytes in (("kept", 2.0), ("streamed", 1e-6)):
        given = materials_of(pictures, weights_file, tmp_path / name, epochs=3, unfreeze="block_3")
        still = {"flip": True, "shift": 0.0, "zoom": 0.0, "rotation": 0.0}
        config = dataclasses.replace(
            given.config,
            augment=dataclasses.replace(given.config.augment, **still),
            memory_gigabytes=gigabytes,
        )
        given = dataclasses.replace(given, config=config)
        source = finetune(given, Trainable.of(config.finetune), None)
        assert (source.cached_with_mirror_images("train") is None) == (name == "streamed")
        losses[name] = [epoch.train_loss for epoch in given.journal.history.epochs]
    assert losses["kept"] == pytest.approx(losses["streamed"], rel=1e-3)


@pytest.mark.slow
def test_epochs_see_the_same_views_again(pictures, weights_file, tmp_path):
    losses = {}
    for echo in (1, 2):
        phase = {"epochs": 4, "unfreeze": "block_3", "echo": echo}
        given = materials_of(pictures, weights_file, tmp_path / str(echo), **phase)
        augment = dataclasses.replace(given.config.augment, flip=True, shift=0.2)
        given = dataclasses.replace(
            given, config=dataclasses.replace(given.config, augment=augment)
        )
        finetune(given, Trainable.of(given.config.finetune), None)
        losses[echo] = [epoch.train_loss for epoch in given.journal.history.epochs]
    assert losses[2][:2] == pytest.approx(losses[1][:2], rel=1e-4)
    assert losses[2][2] != pytest.approx(losses[1][2], rel=1e-4)


@pytest.mark.slow
def test_the_average_of_the_weights_is_evaluated_and_kept(pictures, weights_file, tmp_path):
    settings = {"epochs": 2, "unfreeze": "block_3", "batch_norm": "adapt"}
    outcomes = {}
    for name, more in {"own": {}, "average": {"ema": 0.9}}.items():
        folder = tmp_path / name
        given = materials_of(pictures, weights_file, folder, **settings, **more)
        model, journal = given.classifiers.trained.model, given.journal
        start, seen = model.get_weights(), []
        note = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, model=model, seen=seen: seen.append(
                model.get_weights()
            )
        )
        journal.callbacks = [note]
        source = finetune(given, Trainable.of(given.config.finetune), None)
        outcomes[name] = (model, seen)
    (_, own), (model, seen) = outcomes.values()
    # Training does not see the average.
    for ours, theirs in zip(seen[-1], own[-1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    steps = {1: 3, 2: 6}[journal.history.best.epoch]
    expected = [weight.astype("float64") for weight in start]
    for step in range(steps):
        kept = min(0.9, (2 + step) / (11 + step))
        expected = [kept * a + (1 - kept) * w for a, w in zip(expected, seen[step], strict=True)]
    for ours, theirs in zip(journal.best.arrays, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    # What is recorded is the score of the average.
    journal.restore_best(model)
    given.classifiers.update_exact()
    predictor = source.predictor("validation")
    loss, _ = given.classifiers.trained.objective.scores(predictor.outputs(), predictor.labels, 0.0)
    assert loss == pytest.approx(journal.history.best.validation_loss, rel=1e-6)
