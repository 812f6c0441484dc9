import keras
import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.errors import DivergenceError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.runs.history import Epoch
from tfxfer.runs.journal import BestWeights, Journal
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.best_weights import (
    begin_finetuning,
    finish,
    saving_best_weights,
    say_what_is_best,
)

EPOCH = Epoch("head", 2, 0.1, 1.5, 0.25, 1.25, 0.5, 2.0)


@pytest.fixture
def journal(tmp_path):
    facts = {"data": "1", "weights": "2"}
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    return Journal(run, FitConfig(), facts, Interruptions(), print, rank=SOFTMAX.rank)


def classifier():
    inputs = keras.Input((2,))
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    return keras.Model(inputs, head(keras.layers.Dense(3)(inputs))), head


def ones(model, number):
    return [np.full(weight.shape, number, "float32") for weight in model.get_weights()]


def test_fine_tuning_starts_from_the_best_weights_and_the_head_it_is_given(journal):
    model, head = classifier()
    journal.best = BestWeights("model", ones(model, 2.0))
    checkpoint = begin_finetuning(journal, model, head, ones(head, 3.0))
    assert (checkpoint.state["epoch"], checkpoint.state["phase"]) == (0, "finetune")
    assert [weight.max() for weight in model.get_weights()] == [2.0, 2.0, 3.0, 3.0]


def test_the_best_weights_are_final(journal, tmp_path):
    model, _ = classifier()
    journal.best = BestWeights("model", ones(model, 2.0))
    finish(journal, model, tmp_path / "best.weights.h5")
    assert (journal.phase, journal.best) == ("trained", None)
    again, _ = classifier()
    again.load_weights(tmp_path / "best.weights.h5")
    assert {float(weight.max()) for weight in again.get_weights()} == {2.0}


def test_what_is_best_is_said_of_what_an_epoch_is_compared_with(journal, capsys):
    say_what_is_best(journal, SOFTMAX)
    assert "head" not in capsys.readouterr().out
    journal.history.add(EPOCH)
    say_what_is_best(journal, SOFTMAX, of_trial=True)
    told = capsys.readouterr().out
    for words in ("head alone", "trial", SOFTMAX.rank_by):
        assert words in told


@pytest.mark.parametrize("part", ["head", "model"])
def test_training_that_diverges_saves_the_best_weights_of_the_whole_model(part, journal, tmp_path):
    model, _ = classifier()
    journal.history.add(EPOCH)
    journal.best = BestWeights(part, ones(model, 2.0))
    saved = []
    path = tmp_path / "model.keras"
    with (
        pytest.raises(DivergenceError) as caught,
        saving_best_weights(journal, model, lambda: saved.append(model.get_weights()), path),
    ):
        raise DivergenceError("The loss became NaN.")
    assert str(caught.value).startswith("The loss became NaN.")
    assert (str(path) in str(caught.value)) == (part == "model")
    assert len(saved) == (part == "model")
    assert all(weight.max() == 2.0 for weights in saved for weight in weights)
