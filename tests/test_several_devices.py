"""Training on several devices ends as training on one does, up to rounding."""

import csv
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import h5py
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.system.run_layout import RunDirectory

# An epoch of 21 images has 3 batches: of 8, 8 and 5, or 7 each; 17 epochs are 51 steps.
HEAD = {"dropout": 0.0}
FINETUNE = {"epochs": 17, "optimizer": "sgd", "learning_rate": 0.01}
NOISE = {"flip": True, "shift": 0.2, "rotation": 20.0}
CASES = {
    "adam": {
        "head": {"epochs": 17, "optimizer": "adam", **HEAD},
        "finetune": {"epochs": 0},
        "memory_gigabytes": 0.0,  # the features do not fit, so that the head is trained on images
        "batch_size": 7,
    },
    "augmented": {
        "head": {"epochs": 0, **HEAD},
        "finetune": FINETUNE,
        "augment": NOISE,
        "class_weights": "balanced",
        "exports": True,
    },
    "everything": {
        "head": {"epochs": 0, **HEAD},
        "finetune": {
            **FINETUNE,
            "epochs": 4,
            "gradual": True,
            "layer_decay": 0.5,
            "ema": 0.9,
            "average": "soup",
        },
        "augment": {**NOISE, "mixup": 0.2},
        "batch_size": 6,
        "label_smoothing": 0.1,
    },
    "killed": {
        "head": {"epochs": 0, **HEAD},
        "finetune": {**FINETUNE, "epochs": 3},
        "checkpoint_minutes": 1e-9,
        "dies_at": "finetune  epoch 2/3",
    },
}
PRETRAINING = {
    "verb": "pretrain",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 4,
    # Two devices divide each batch: an example that is repeated would count in the statistics.
    "train_examples": 20,
    "batch_size": 10,
}


@pytest.fixture(scope="module")
def trained(pictures, weights_file, tmp_path_factory):
    """Returns the folder with what a number of devices has trained, and what was said."""
    common = {
        "data": str(pictures),
        "backbone": "small",
        "image_size": 32,
        "batch_size": 8,
        "cache_gigabytes": 0.0,
    }
    fits = {"weights": str(weights_file), "effort": "quick"}
    runs = {name: {**common, **fits, **case} for name, case in CASES.items()}
    runs["pretraining"] = {**common, **PRETRAINING}
    found = {}

    def of(number, backend="tensorflow"):
        if (number, backend) not in found:
            folder = tmp_path_factory.mktemp(f"{backend}{number}")
            found[number, backend] = folder, run(number, folder, runs, backend)
        return found[number, backend]

    return of


def run(number, folder, runs, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = pathlib.Path(__file__).parent / "several_devices.py"
    done = subprocess.run(
        [sys.executable, str(program), str(number), str(folder), json.dumps(runs)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def rows(folder, name):
    with (folder / "runs" / name / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(folder, name):
    """Returns the final weights of a run by their names."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset) and item.size:
            found[name] = np.asarray(item)

    with h5py.File(RunDirectory(folder / "runs" / name).best_weights) as file:
        file.visititems(add)
    return found


def farthest(ours, theirs):
    """Returns the largest difference of any weight."""
    assert ours.keys() == theirs.keys()
    return max(np.abs(ours[name].astype(float) - theirs[name]).max() for name in ours)


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize("name", CASES)
def test_several_devices_train_as_one(trained, name, backend, number):
    (one, _), (several, said) = trained(1, backend), trained(number, backend)
    assert f"{number} of {number} CPUs" in said
    for ours, theirs in zip(rows(one, name), rows(several, name), strict=True):
        for key in ("train_loss", "train_accuracy", "validation_loss", "learning_rate"):
            assert float(ours[key]) == pytest.approx(float(theirs[key]), abs=1e-5), key
    assert farthest(weights(one, name), weights(several, name)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_several_devices_share_the_statistics_of_a_batch_while_pretraining(trained, backend):
    (one, _), (two, _) = trained(1, backend), trained(2, backend)
    assert farthest(weights(one, "pretraining"), weights(two, "pretraining")) < 1e-4
    for ours, theirs in zip(rows(one, "pretraining"), rows(two, "pretraining"), strict=True):
        assert float(ours["train_loss"]) == pytest.approx(float(theirs["train_loss"]), abs=1e-4)


@pytest.mark.slow
def test_the_export_of_several_devices_is_that_of_one(trained, pictures):
    files = [path.read_bytes() for path in sorted(pictures.glob("test/*/*.jpg"))]
    found = []
    for number in (1, 2):
        loaded = tf.saved_model.load(str(trained(number)[0] / "exports" / "augmented" / "1"))
        found.append(loaded.signatures["serving_default"](tf.constant(files))["probabilities"])
    np.testing.assert_allclose(*found, atol=1e-5)


@pytest.mark.slow
def test_a_killed_run_of_two_devices_is_resumed(trained):
    folder, said = trained(2)
    assert "resuming the finetune phase after" in said
    assert [row["epoch"] for row in rows(folder, "killed")] == ["1", "2", "3"]
