import numpy as np
import pytest
from conftest import small_config
from small_network import SMALL

from tfxfer.errors import UsageError
from tfxfer.models.objectives import accuracy
from tfxfer.planning.plan import make_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session
from tfxfer.training.head_phase import train_head
from tfxfer.training.transfer import prepare_fit


@pytest.fixture
def materials(pictures, weights_file, tmp_path):
    """Returns a function of settings: what the phases of a fit of them work with."""

    def begin(say=lambda _: None, **settings):
        plan = make_plan(small_config(pictures, weights_file, tmp_path, run="one", **settings))
        classifier = plan.build_classifier(plan.config.weights)
        return prepare_fit(plan, classifier, Session(Interruptions(), say)).materials

    return begin


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_best_head_is_in_the_classifier_with_the_scores_of_the_history(optimizer, materials):
    given = materials(head={"epochs": 3, "optimizer": optimizer}, finetune={"epochs": 0})
    outcome = train_head(given)
    best = given.journal.history.best
    validation = given.images["validation"]
    found = outcome.source.predictor("validation").outputs()
    assert accuracy(found, validation.labels) == pytest.approx(best.validation_accuracy)
    assert given.journal.best.part == "model"
    trained = given.classifiers.trained
    for ours, theirs in zip(given.journal.best.arrays, trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert given.journal.notes.num_trained == trained.num_trainable() == 3 * SMALL.num_features + 3
    assert (given.journal.notes.penalty is not None) == (optimizer == "lbfgs")
    # Only a head that is solved has another one for the finetune phase to begin at.
    assert (outcome.start is not None) == (optimizer == "lbfgs")
    assert not any(layer.trainable for layer in trained.backbone.layers if layer.weights)


def test_a_head_that_is_solved_needs_its_features_in_memory(materials):
    given = materials(head={"epochs": 3, "optimizer": "lbfgs"}, memory_gigabytes=0.0)
    with pytest.raises(UsageError, match=r"'lbfgs'.* 0 GB.*--memory-gigabytes"):
        train_head(given)


def test_a_head_that_was_trained_before_the_interruption_is_not_trained_again(materials):
    settings = {"head": {"epochs": 2}, "finetune": {"epochs": 0}}
    given = materials(**settings)
    train_head(given)
    given.journal.begin("finetune")
    lines = []
    again = materials(lines.append, **settings)
    outcome = train_head(again)
    assert outcome.start is None
    assert lines == []
    assert again.journal.history.epochs == given.journal.history.epochs
