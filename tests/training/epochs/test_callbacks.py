import math
import re

import keras
import numpy as np
import pytest

import tfxfer.runs.journal
from tfxfer.config.schema import FitConfig
from tfxfer.errors import DivergenceError, InterruptionError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.runs.budget import Budget
from tfxfer.runs.history import History
from tfxfer.runs.journal import Journal
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.callbacks import Checkpointing, Course, PhaseRecorder


@pytest.fixture
def history(tmp_path):
    history = History(RunDirectory(tmp_path), SOFTMAX.rank)
    yield history
    history.close()


def train(history, *, epochs=6, patience=0, batch_size=2, learning_rate=0.0):
    """Trains logits on two examples and returns the printed lines and how often one was best."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    model.compile(
        keras.optimizers.SGD(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    lines, best = [], []
    data = (np.eye(2, dtype="float32"), np.arange(2))
    recorder = PhaseRecorder(
        history,
        Course("finetune", epochs, math.log(2), patience),
        lambda: model.evaluate(*data, verbose=0),
        lambda: best.append(True),
        lines.append,
    )
    model.fit(
        *data,
        epochs=epochs,
        batch_size=batch_size,
        callbacks=[recorder],
        shuffle=False,
        verbose=0,
    )
    return lines, len(best)


def test_the_time_left_does_not_count_what_is_compiled_in_the_first_step(history, monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr("time.perf_counter", lambda: clock["now"])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    lines = []
    recorder = PhaseRecorder(
        history, Course("finetune", 3, math.log(2)), lambda: (0.1, 1.0), lambda: None, lines.append
    )
    recorder.set_model(model)
    recorder.set_params({"steps": 4})
    for epoch, steps_end in enumerate([(100, 102, 104, 106), (108, 110, 112, 114)]):
        recorder.on_epoch_begin(epoch)
        for step, clock["now"] in enumerate(steps_end):
            recorder.on_train_batch_end(step, {"loss": 0.1})
        recorder.on_epoch_end(epoch, {"loss": 0.1, "accuracy": 1.0})
    assert [line.split("  ")[-1] for line in lines] == ["16 s until epoch 3", "8 s until epoch 3"]


def test_each_epoch_prints_a_line_with_the_time_left(history):
    lines, best = train(history, epochs=2, learning_rate=1.0)
    for part in ("finetune  ", " 1/2  ", "loss 0.6931", "accuracy 0.5000", "val_loss 0.", "best"):
        assert part in lines[0]
    assert lines[0].endswith(" until epoch 2")
    assert " 2/2  " in lines[1]
    assert "left" not in lines[1]
    assert best == 2
    assert [epoch.epoch for epoch in history.epochs] == [1, 2]


def test_a_phase_without_improvement_stops_when_patience_ends(history):
    lines, best = train(history, patience=2)
    assert best == 1
    assert len(history.epochs) == 3
    assert ["best" in line for line in lines] == [True, False, False, False]
    assert re.search(r"finetune: early stopping.* 2 epochs", lines[-1])


def test_a_nan_loss_stops_the_run_at_its_step_and_says_what_to_try(history):
    with pytest.raises(
        DivergenceError,
        match="NaN .*step 2 .*epoch 1 .*finetune phase.*--finetune-learning-rate",
    ):
        train(history, batch_size=1, learning_rate=float("inf"))
    assert not history.epochs


def test_a_loss_far_above_a_guess_stops_the_run(history):
    # The first step moves the logits of the other example by 50 each way: its loss is 100.
    with pytest.raises(
        DivergenceError,
        match=r"50\.35 .*epoch 1 .*finetune phase.* 0\.693.*--finetune-learning-rate",
    ):
        train(history, batch_size=1, learning_rate=100.0)


def journal_of(folder, lines=None, **settings):
    say = print if lines is None else lines.append
    run, config = RunDirectory(folder), FitConfig(**settings)
    facts = {"data": "1", "weights": "2"}
    return Journal(run, config, facts, Interruptions(), say, rank=SOFTMAX.rank)


def trained(journal, *, epochs=2, steps=4, each_step=lambda step: None):
    """Trains a small model on batches of one and returns where checkpoints were saved."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    places = []
    write = journal.write

    def noted(state, arrays):
        places.append((state["epoch"], state["step"]))
        return write(state, arrays)

    journal.write = noted
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: each_step(batch)
    )
    data = np.zeros((steps, 2), "float32")
    callbacks = [callback, Checkpointing(journal, 0, lambda: 0)]
    model.fit(data, data, batch_size=1, epochs=epochs, callbacks=callbacks, verbose=0)
    return places


def test_within_an_epoch_checkpoints_follow_the_clock_except_at_the_last_step(tmp_path):
    assert trained(journal_of(tmp_path, checkpoint_minutes=1e-9)) == [
        *((0, 1), (0, 2), (0, 3), (1, 0)),
        *((1, 1), (1, 2), (1, 3), (2, 0)),
    ]


def test_without_checkpoint_minutes_checkpoints_are_saved_only_after_epochs(tmp_path):
    assert trained(journal_of(tmp_path, checkpoint_minutes=0.0))[0] == (1, 0)


def test_epochs_shorter_than_a_checkpoint_do_not_save_one_each(tmp_path, monkeypatch):
    monkeypatch.setattr(tfxfer.runs.journal, "_TIMES_AS_LONG", 1e6)
    assert trained(journal_of(tmp_path), epochs=20) == [(1, 0)]


def test_a_signal_saves_a_checkpoint_after_the_step(tmp_path):
    journal = journal_of(tmp_path)

    def signal_comes(step):
        if step == 1:
            journal.interruptions.received = 15

    with pytest.raises(InterruptionError):
        trained(journal, each_step=signal_comes)
    found = journal_of(tmp_path).found
    assert (found.state["epoch"], found.state["step"]) == (0, 2)


def test_training_ends_within_the_epoch_when_the_time_budget_is_exhausted(tmp_path):
    lines = []
    journal = journal_of(tmp_path, lines)

    def time_ends(step):
        if step == 1:
            journal.budget = Budget(1.0, used=60.0)

    assert trained(journal, epochs=5, each_step=time_ends) == [(1, 0)]
    (line,) = lines
    assert "time budget" in line
    assert "step 2 of epoch 1" in line
