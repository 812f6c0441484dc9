import json

import keras
import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.errors import RunError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.history import Epoch
from tfxfer.runs.journal import TRAINED, BestWeights, Journal, Notes, PhaseSize
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions

FACTS = {"data": "1", "weights": "2"}
EPOCH = Epoch("head", 1, 0.1, 1.5, 0.25, 1.25, 0.5, 2.0)


def journal_of(folder, lines=None, facts=FACTS, **settings):
    say = print if lines is None else lines.append
    run = RunDirectory(folder)
    config = FitConfig(**settings)
    return Journal(run, config, facts, Interruptions(), say, rank=SOFTMAX.rank)


def test_a_run_is_resumed_where_it_stopped(tmp_path):
    journal = journal_of(tmp_path)
    assert journal.found is None
    assert not journal.is_past("head")
    begun = journal.begin("head", {"a": [np.arange(3)]})
    assert begun.state["epoch"] == 0
    journal.history.add(EPOCH)
    journal.best, journal.notes.penalty = BestWeights("head", [np.ones(2)]), 0.1
    journal.notes.start_penalty = 1.0
    journal.begin("finetune")
    again = journal_of(tmp_path)
    assert (again.is_past("head"), again.is_past("finetune")) == (True, False)
    assert (again.history.epochs, again.history.best) == ([EPOCH], EPOCH)
    assert again.notes == Notes(penalty=0.1, start_penalty=1.0)
    assert again.best.part == "head"
    np.testing.assert_array_equal(again.best.arrays, [np.ones(2)])
    assert again.budget.used() > 0
    assert again.begin("finetune").state["phase"] == "finetune"
    again.begin(TRAINED)
    assert journal_of(tmp_path).is_past("finetune")
    again.close()
    assert journal_of(tmp_path).found is None


def test_notes_are_what_they_were_when_they_are_read_again():
    notes = Notes(120, 0.3, {"head": PhaseSize(3, 40)})
    content = json.loads(json.dumps(notes.as_json()))
    assert content == {"num_trained": 120, "penalty": 0.3, "sizes": {"head": [3, 40]}}
    assert Notes.of_json(content) == notes
    assert Notes().as_json() == {}
    assert Notes.of_json({}) == Notes()


@pytest.mark.parametrize(
    ("shapes", "part"),
    [([(256, 10), (10,)], "head"), ([(3, 3, 3, 8), (8,), (256, 10), (10,)], "model")],
)
def test_an_older_checkpoint_tells_by_its_arrays_what_the_best_weights_are_of(shapes, part):
    arrays = [np.zeros(shape) for shape in shapes]
    older = Checkpoint({"phase": "head"}, {"best": arrays})
    assert BestWeights.of_checkpoint(older).part == part
    told = Checkpoint({"phase": "head", "best_of": "head"}, {"best": arrays})
    assert BestWeights.of_checkpoint(told).part == "head"
    assert BestWeights.of_checkpoint(Checkpoint({"phase": "head"})) is None


def test_a_model_keeps_its_weights_until_there_are_best_ones(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    before, ones = model.get_weights(), [np.ones((2, 1)), np.ones(1)]
    journal = journal_of(tmp_path)
    journal.restore_best(model)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    journal.best = BestWeights("model", ones)
    journal.restore_best(model)
    np.testing.assert_array_equal(model.get_weights()[0], ones[0])


@pytest.mark.parametrize("name", ["data", "weights"])
def test_a_run_started_on_other_data_or_weights_is_refused(tmp_path, name):
    journal_of(tmp_path).begin("head")
    what = {"data": "the data", "weights": "the backbone's initial weights"}[name]
    with pytest.raises(RunError, match=f"Cannot resume '{tmp_path}': {what} changed.*--run"):
        journal_of(tmp_path, facts=FACTS | {name: "other"})


def test_other_versions_are_reported(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(keras, "__version__", "3.0.0")
        journal_of(tmp_path).begin("head")
    lines = []
    journal_of(tmp_path, lines)
    (line,) = lines
    assert "keras 3.0.0" in line
    assert "tensorflow" not in line
