"""Training by several processes ends as training by one does, up to rounding."""

import importlib.util
import json
import pathlib
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from test_several_devices import CASES as OF_DEVICES
from test_several_devices import FINETUNE, NOISE, farthest, rows, weights
from together import free_port, together

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed"),
]

PROGRAM = pathlib.Path(__file__).parent / "several_processes.py"

CASES = {
    "adam": OF_DEVICES["adam"],
    "solved": {
        "finetune": FINETUNE,
        "augment": NOISE,
        "class_weights": "balanced",
    },
    "features": {
        "head": {"epochs": 5, "optimizer": "adam", "augmented_views": 1},
        "finetune": {"epochs": 2, "optimizer": "adamw"},
        "cache_gigabytes": 0.1,
    },
    "everything": OF_DEVICES["everything"],
}


def started(count, folder, runs):
    """Starts processes that train together, and ends those that are left; a context."""
    folder.mkdir(exist_ok=True)
    told = free_port(), folder, json.dumps(runs)
    commands = [[PROGRAM, number, count, *told] for number in range(count)]
    return together(commands, folder, TFXFER_CACHE_DIR=str(folder / "cache"))


def train(count, folder, runs):
    with started(count, folder, runs) as processes:
        codes = [process.wait(timeout=1500) for process in processes]
    said = [(folder / f"said{number}").read_text() for number in range(count)]
    assert codes == [0] * count, "\n".join(text[-3000:] for text in said)
    return said


@pytest.fixture(scope="module")
def common(pictures, weights_file):
    return {
        "data": str(pictures),
        "backbone": "small",
        "weights": str(weights_file),
        "image_size": 32,
        "batch_size": 8,
        "effort": "quick",
    }


@pytest.fixture(scope="module")
def trained(common, tmp_path_factory):
    """Returns the folder of what a number of processes has trained, and what each has said."""
    runs = {name: {**common, "cache_gigabytes": 0.0, **case} for name, case in CASES.items()}
    found = {}

    def of(count):
        if count not in found:
            folder = tmp_path_factory.mktemp(f"processes{count}")
            found[count] = folder, train(count, folder, runs)
        return found[count]

    return of


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", CASES)
def test_several_processes_train_as_one(trained, name, count):
    (one, _), (several, said) = trained(1), trained(count)
    assert f"{count} processes with 1 CPU each" not in said[1]
    for ours, theirs in zip(rows(one, name), rows(several, name), strict=True):
        for key in ("train_loss", "train_accuracy", "validation_loss", "learning_rate"):
            assert float(ours[key]) == pytest.approx(float(theirs[key]), abs=1e-5), key
    assert farthest(weights(one, name), weights(several, name)) < 1e-5


@pytest.mark.parametrize("count", [2, 4])
def test_the_export_of_several_processes_is_that_of_one(common, pictures, tmp_path, count):
    files = [path.read_bytes() for path in sorted(pictures.glob("test/*/*.jpg"))]
    settings = {**common, "finetune": {**FINETUNE, "epochs": 2}, "exports": True}
    found = []
    for number in (1, count):
        folder = tmp_path / str(number)
        said = train(number, folder, {"run": settings})
        loaded = tf.saved_model.load(str(folder / "exports" / "run" / "1"))
        found.append(loaded.signatures["serving_default"](tf.constant(files))["probabilities"])
    np.testing.assert_allclose(*found, atol=1e-5)
    reads = f"of each batch of 8 a process reads {8 // count}"
    assert f"{count} processes with 1 CPU each; {reads}" in said[0]
    for number in range(1, count):
        assert f"process {number} of {count}" in said[number]
        assert "epoch 1/2" not in said[number]


def test_a_run_one_of_whose_processes_is_killed_is_resumed_to_the_same_bits(common, tmp_path):
    settings = {
        **common,
        "finetune": {**FINETUNE, "epochs": 24},
        "augment": NOISE,
        "checkpoint_minutes": 1e-9,
    }
    train(2, tmp_path / "whole", {"run": settings})
    folder, random = tmp_path / "killed", np.random.default_rng(0)
    for epoch, victim in ((2, 1), (9, 0), (16, 1)):
        with started(2, folder, {"run": settings}) as processes:
            said = folder / f"said{1 - victim}"
            wait_for(folder / "said0", f"epoch {epoch:2d}/24", processes)
            time.sleep(random.random())
            processes[victim].send_signal(signal.SIGKILL)
            start = time.monotonic()
            assert processes[1 - victim].wait(timeout=120) == 1, said.read_text()
            assert time.monotonic() - start < 60
        last = said.read_text().strip().splitlines()[-1]
        assert last.startswith(f"Error: Process {victim} of 2 (pid {processes[victim].pid} on")
    text = train(2, folder, {"run": settings})[0]
    assert text.count("resuming the finetune phase after") == 3
    ours, theirs = weights(tmp_path / "whole", "run"), weights(folder, "run")
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])


def wait_for(path, text, processes):
    """Waits until a line with a text has been said."""
    while text not in path.read_text():
        assert all(process.poll() is None for process in processes), path.read_text()[-2000:]
        time.sleep(0.05)
