import dataclasses

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.models.objectives import SOFTMAX
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epoch, Epochs
from tfxfer.runs.journal import BestWeights, Journal
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions

EPOCH = Epoch("head", 1, 0.1, 1.5, 0.25, 1.25, 0.5, 2.0)
BETTER = dataclasses.replace(EPOCH, phase="finetune", validation_accuracy=0.75)


@pytest.fixture
def parent(tmp_path):
    facts = {"data": "1", "weights": "2"}
    journal = Journal(
        RunDirectory(tmp_path), FitConfig(), facts, Interruptions(), print, rank=SOFTMAX.rank
    )
    journal.history.add(EPOCH)
    journal.best = BestWeights("model", [np.zeros(2)])
    return journal


def test_what_a_trial_finds_is_not_yet_that_of_the_run(parent):
    saved = []

    def save(state, arrays):
        saved.append((state, arrays))
        return Checkpoint(state, arrays)

    trial = TrialJournal(parent, Epochs(SOFTMAX.rank, parent.history.best), save)
    assert not trial.history.add(dataclasses.replace(EPOCH, phase="finetune"))
    assert trial.history.add(BETTER)
    trial.best = BestWeights("model", [np.ones(2)])
    trial.write({"epoch": 2}, {"model": []})
    assert saved == [({"epoch": 2}, {"model": []})]
    assert (parent.history.epochs, parent.history.best) == ([EPOCH], EPOCH)
    np.testing.assert_array_equal(parent.best.arrays, [np.zeros(2)])
    assert trial.budget is parent.budget
    assert trial.interruptions is parent.interruptions
    assert trial.say is parent.say


def test_a_run_adopts_the_epochs_of_the_trial_that_is_chosen(parent):
    trial = Epochs(SOFTMAX.rank, parent.history.best)
    trial.add(BETTER)
    again = Epochs(SOFTMAX.rank, parent.history.best)
    again.restore(trial.as_json())
    parent.history.adopt(again)
    assert (parent.history.epochs, parent.history.best) == ([EPOCH, BETTER], BETTER)


def test_epochs_without_a_better_one_keep_the_one_before(parent):
    trial = Epochs(SOFTMAX.rank, EPOCH)
    trial.add(dataclasses.replace(EPOCH, validation_accuracy=0.25))
    again = Epochs(SOFTMAX.rank, EPOCH)
    again.restore(trial.as_json())
    assert again.best is EPOCH
    assert again.epochs == trial.epochs
