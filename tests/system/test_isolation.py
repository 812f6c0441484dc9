import os
import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfxfer
from tfxfer.config.schema import FitConfig, HeadConfig
from tfxfer.errors import RunError, UsageError
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.system import isolation
from tfxfer.system.isolation import isolated, own_globals

SETTERS = {
    "floatx": keras.config.set_floatx,
    "image_data_format": keras.config.set_image_data_format,
    "epsilon": keras.config.set_epsilon,
    "max_epochs": keras.config.set_max_epochs,
    "max_steps_per_epoch": keras.config.set_max_steps_per_epoch,
    "dtype_policy": keras.config.set_dtype_policy,
    "functions_run_eagerly": tf.config.run_functions_eagerly,
}
THEIRS = {
    "floatx": "float16",
    "image_data_format": "channels_first",
    "epsilon": 0.1,
    "max_epochs": 1,
    "max_steps_per_epoch": 2,
    "dtype_policy": "mixed_float16",
    "functions_run_eagerly": True,
}
OURS = {
    "floatx": "float32",
    "image_data_format": "channels_last",
    "epsilon": 1e-7,
    "max_epochs": None,
    "max_steps_per_epoch": None,
    "dtype_policy": "float32",
    "functions_run_eagerly": False,
}


def current():
    found = {name: getattr(keras.config, name)() for name in SETTERS if hasattr(keras.config, name)}
    eagerly = tf.config.functions_run_eagerly()
    return {**found, "dtype_policy": found["dtype_policy"].name, "functions_run_eagerly": eagerly}


@pytest.fixture
def users():
    """A script that has set every global that there is."""
    before = current()
    for name, value in THEIRS.items():
        SETTERS[name](value)
    yield
    for name, value in before.items():
        SETTERS[name](value)


def test_the_users_globals_are_set_aside_and_restored(users):
    with own_globals():
        assert current() == OURS
        with own_globals():
            assert current() == OURS
        assert current() == OURS
    assert current() == THEIRS
    with pytest.raises(ValueError, match="mine"), own_globals():
        raise ValueError("mine")
    assert current() == THEIRS


def test_a_generator_gives_them_back_between_two_values(users):
    @isolated
    def numbers():
        for number in range(3):
            assert current() == OURS
            yield number

    for number, _ in enumerate(numbers()):
        assert current() == THEIRS
        if number == 1:
            break
    assert current() == THEIRS


def test_the_last_of_several_threads_gives_them_back(users):
    inside, leave = threading.Event(), threading.Event()

    def work():
        with own_globals():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    with own_globals():
        thread.start()
        assert inside.wait(10)
    assert keras.config.floatx() == "float32"  # the other one still works
    leave.set()
    thread.join()
    assert current() == THEIRS


def build(seed):
    config = FitConfig(image_size=32, input_size=32, precision="float32", weights="none", seed=seed)
    head = HeadConfig(dropout=0.1, hidden_units=(4,))
    return build_classifier(BACKBONES["resnet10_small"], config, head, "none", 3).model


def test_what_is_built_depends_on_none_of_them_and_changes_no_random_numbers(users):
    random.seed(1)
    np.random.seed(1)
    tf.random.set_seed(1)
    expected = random.random(), np.random.random(), tf.random.normal([2]).numpy().tolist()
    random.seed(1)
    np.random.seed(1)
    tf.random.set_seed(1)
    theirs = isolated(build)(3)
    drawn = random.random(), np.random.random(), tf.random.normal([2]).numpy().tolist()
    assert drawn == expected
    tf.compat.v1.set_random_seed(None)
    for name, value in OURS.items():
        SETTERS[name](value)
    ours = build(3)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    policies = {layer.dtype_policy.name for layer in theirs._flatten_layers()}
    assert policies == {"float32"}
    assert "channels_first" not in theirs.to_json()


def test_a_finished_classifier_answers_the_same(finished, trained, paths, users):
    result, _ = finished
    again = tfxfer.load(result.run)
    np.testing.assert_array_equal(again.predict(paths), trained.predict(paths))
    assert {layer.dtype_policy.name for layer in again.model._flatten_layers()} == {"float32"}
    assert current() == THEIRS


def test_a_fork_of_a_process_that_computed_is_refused():
    with own_globals():
        pass
    child = os.fork()
    if not child:
        status = 1
        try:
            with own_globals():
                pass
        except RunError as error:
            status = 0 if "forked" in str(error) and "spawn" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_graph_is_no_place_to_be_called_in():
    @tf.function
    def inside():
        with own_globals():
            pass

    with pytest.raises(UsageError, match="eagerly"):
        inside()


def test_keras_must_have_a_backend_that_does(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(UsageError, match="'torch'.*KERAS_BACKEND"), own_globals():
        pass
    assert isolation._process.depth == 0


def test_autograph_rewrites_no_function_of_a_pipeline():
    def half(x):
        return x / 2 if x > 0 else x  # AutoGraph makes a `tf.cond` of it

    @isolated
    def piped():
        return tf.data.Dataset.from_tensors(1.0).map(half)

    @isolated
    def piped_one_by_one():
        yield piped()

    for pipe in (piped, lambda: next(piped_one_by_one())):
        with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
            pipe()
    assert next(iter(tf.data.Dataset.from_tensors(1.0).map(half))) == 0.5  # the caller's are
