import csv
import dataclasses
import json

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfxfer.errors import UsageError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.runs.history import Epoch, History, read_history
from tfxfer.system.run_layout import RunDirectory

EPOCH = Epoch("head", 1, 0.1, 1.5, 0.25, 1.25, 0.5, 2.0)


@pytest.fixture
def history(tmp_path):
    history = History(RunDirectory(tmp_path), SOFTMAX.rank)
    yield history
    history.close()


def with_validation(accuracy, loss):
    return dataclasses.replace(EPOCH, validation_accuracy=accuracy, validation_loss=loss)


def test_the_first_of_equally_good_epochs_is_the_best(history):
    assert history.add(with_validation(0.5, 1.0))
    assert not history.add(with_validation(0.5, 1.0))
    assert history.add(with_validation(0.5, 0.9))
    assert history.best is history.epochs[2]


def test_the_rank_decides_which_epoch_is_best(tmp_path):
    history = History(RunDirectory(tmp_path), lambda loss, _: (loss,))
    assert [history.add(with_validation(0.5, loss)) for loss in (1.0, 0.9, 1.1)] == [
        *(True, False, True)
    ]
    history.close()


def test_epochs_are_written_as_rows_and_the_best_is_known(history, tmp_path):
    epochs = [with_validation(accuracy, 1.0) for accuracy in (0.5, 0.75, 0.7)]
    assert [history.add(epoch) for epoch in epochs] == [True, True, False]
    assert history.best == epochs[1]
    history.save()
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {key: str(value) for key, value in dataclasses.asdict(epochs[0]).items()}
    assert [row["validation_accuracy"] for row in rows] == ["0.5", "0.75", "0.7"]


def test_a_history_is_read_back_as_it_was_written(history, tmp_path):
    epochs = [with_validation(1 / 3, 1e-7), dataclasses.replace(EPOCH, phase="finetune", epoch=2)]
    for epoch in epochs:
        history.add(epoch)
    history.save()
    assert read_history(RunDirectory(tmp_path)) == epochs


@pytest.mark.parametrize("text", [None, "phase,epoch\nhead,1\n", "phase,epoch\nhead,x\n"])
def test_a_history_that_is_missing_or_corrupt_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "history.csv").write_text(text)
    with pytest.raises(UsageError, match=r"Cannot read .*'.*history.csv'"):
        read_history(RunDirectory(tmp_path))


def test_an_epoch_whose_weights_are_gone_cannot_be_the_best(history):
    assert not history.add(with_validation(0.9, 1.0), kept=False)
    assert history.best is None
    assert history.add(with_validation(0.5, 1.0))
    assert len(history.epochs) == 2


def test_quick_epochs_are_written_together_and_none_is_lost(history, tmp_path):
    for number in range(1, 51):
        history.add(dataclasses.replace(EPOCH, epoch=number))
    history.close()
    with (tmp_path / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == [str(x) for x in range(1, 51)]


def test_tensorboard_reads_the_same_numbers(history, tmp_path):
    history.add(EPOCH)
    history.add(dataclasses.replace(EPOCH, epoch=2, validation_accuracy=0.625))
    history.close()
    events = EventAccumulator(str(tmp_path / "tensorboard" / "validation")).Reload()
    tensors = [
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("accuracy")
    ]
    assert tensors == [(1, 0.5), (2, 0.625)]
    train = EventAccumulator(str(tmp_path / "tensorboard" / "train")).Reload()
    rate = tf.make_ndarray(train.Tensors("learning_rate")[0].tensor_proto)
    assert rate == pytest.approx(0.1)


def test_an_interrupted_run_gets_its_epochs_back_and_forgets_what_follows(history, tmp_path):
    epochs = [with_validation(accuracy, 1.0) for accuracy in (0.5, 0.75)]
    for epoch in epochs:
        history.add(epoch)
    earlier = json.loads(json.dumps(history.as_json()))
    history.add(with_validation(0.9, 1.0))
    history.save()
    again = History(RunDirectory(tmp_path), SOFTMAX.rank, earlier)
    assert again.epochs == epochs
    assert again.best == epochs[1]
    again.add(with_validation(0.6, 1.0))
    again.close()
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["validation_accuracy"] for row in rows] == ["0.5", "0.75", "0.6"]
    events = EventAccumulator(str(tmp_path / "tensorboard" / "validation")).Reload()
    assert [event.step for event in events.Tensors("accuracy")] == [1, 2, 3]
