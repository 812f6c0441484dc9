import dataclasses
import itertools

import keras
import numpy as np
import pytest
from conftest import small_config

from tfxfer.planning.plan import make_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session
from tfxfer.training.transfer import prepare_fit, train_phases

pytestmark = pytest.mark.slow  # whole fits


def fitted(pictures, weights_file, folder, *, effort="quick", **finetune):
    """Returns a trained fit, the weights by layer after each epoch, and what it said."""
    lines, seen = [], []
    settings = {
        "effort": effort,
        "head": {"epochs": 3, "penalty": 3.0},
        "finetune": {"epochs": 6, "learning_rate": 0.003, "gradual": True, **finetune},
    }
    plan = make_plan(small_config(pictures, weights_file, folder, run="one", **settings))
    classifier = plan.build_classifier(plan.config.weights)

    def note(epoch, logs):
        layers = [layer for layer in classifier.backbone.layers if layer.weights]
        seen.append({layer.name: layer.get_weights() for layer in layers})

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=note)]
    fitting = prepare_fit(plan, classifier, Session(Interruptions(), lines.append, callbacks))
    note(0, None)
    train_phases(fitting)
    return fitting, seen, lines


def changed(before, after):
    """Returns the stages whose weights differ."""
    return {
        name.rpartition("_")[0].removesuffix("_depthwise")
        for name, weights in before.items()
        if not all(map(np.array_equal, weights, after[name]))
    }


@pytest.mark.parametrize("batch_norm", ["frozen", "adapt"])
def test_stages_are_trained_one_after_the_other_from_the_last(
    batch_norm, pictures, weights_file, tmp_path
):
    fitting, seen, lines = fitted(pictures, weights_file, tmp_path, batch_norm=batch_norm)
    assert fitting.materials.config.finetune.unfreeze == "all"
    found = [changed(before, after) for before, after in itertools.pairwise(seen)]
    stages = ["stem", "block_1", "block_2", "block_3"]
    # Six epochs for four stages: one each, and three for all.
    assert found == [set(stages[first:]) for first in (3, 2, 1, 0, 0, 0)]
    epochs = [one for one in fitting.materials.journal.history.epochs if one.phase == "finetune"]
    assert [one.epoch for one in epochs] == [1, 2, 3, 4, 5, 6]
    # One schedule over all parts: it warms up once, and falls to zero at the end.
    rates = [one.learning_rate for one in epochs]
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert sum("trains from stage" in line for line in lines) == 3
    num_trainable = fitting.materials.classifiers.trained.num_trainable()
    assert fitting.materials.journal.notes.num_trained == num_trainable


def test_only_the_stages_that_are_asked_for_are_trained(pictures, weights_file, tmp_path):
    _, seen, _ = fitted(pictures, weights_file, tmp_path, unfreeze="block_2", epochs=3)
    found = [changed(before, after) for before, after in itertools.pairwise(seen)]
    assert found == [{"block_3"}, {"block_2", "block_3"}, {"block_2", "block_3"}]


def test_patience_ends_the_phase_and_not_only_the_part(pictures, weights_file, tmp_path):
    fitting, _, lines = fitted(
        pictures, weights_file, tmp_path, patience=1, learning_rate=1e-9, epochs=8
    )
    epochs = [one for one in fitting.materials.journal.history.epochs if one.phase == "finetune"]
    assert len(epochs) < 8
    assert sum("early stopping" in line for line in lines) == 1


def test_a_search_unfreezes_gradually_in_each_trial(pictures, weights_file, tmp_path):
    fitting, _, lines = fitted(pictures, weights_file, tmp_path, effort="standard", epochs=4)
    trials = fitting.materials.journal.notes.search.num_trials
    assert sum("trains from stage" in line for line in lines) == 3 * trials > 0


def test_a_time_budget_shortens_the_parts(pictures, weights_file, tmp_path):
    config = small_config(
        *(pictures, weights_file, tmp_path),
        run="short",
        max_minutes=0.001,
        head={"epochs": 3},
        finetune={"epochs": 6, "gradual": True},
    )
    plan = make_plan(config)
    fitting = prepare_fit(
        plan,
        plan.build_classifier(plan.config.weights),
        Session(Interruptions(), lambda _: None),
    )
    train_phases(fitting)
    size = fitting.materials.journal.notes.sizes["finetune"]
    assert size.epochs < 6
    assert dataclasses.astuple(size) == (1, size.steps)
