"""Keras' and TensorFlow's global settings: tfxfer works under its own, and the user's stay.

They come from `keras.json`, from variables and from the script that calls tfxfer: a default float
type, mixed precision, the order of an image's axes, functions run eagerly, a limit on epochs, the
state of Python's and NumPy's random numbers. Nothing that is built or computed here depends on
them, and all are afterwards what they were.
"""

import contextlib
import functools
import inspect
import os
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import keras
import numpy as np
import tensorflow as tf

from tfxfer.errors import RunError, UsageError
from tfxfer.system.devices import dtype_policy
from tfxfer.system.keras_settings import check_imported_backend

Function = TypeVar("Function", bound=Callable[..., Any])

# How each is read, how it is set, and what it is while tfxfer works.
_OURS: tuple[tuple[Callable[[], Any], Callable[[Any], None], Any], ...] = (
    (keras.config.floatx, keras.config.set_floatx, "float32"),
    (keras.config.image_data_format, keras.config.set_image_data_format, "channels_last"),
    (keras.config.epsilon, keras.config.set_epsilon, 1e-7),
    (keras.config.max_epochs, keras.config.set_max_epochs, None),
    (keras.config.max_steps_per_epoch, keras.config.set_max_steps_per_epoch, None),
    (tf.config.functions_run_eagerly, tf.config.run_functions_eagerly, False),
)


_as_it_is: Callable[[Function], Function] = tf.autograph.experimental.do_not_convert


class _Process:
    """What all threads of a process share.

    Attributes:
        lock: Of the rest.
        depth: How many contexts are entered; the first sets the globals, the last restores them.
        restore: Gives the user's globals back.
        user: The process that computed first; in another one TensorFlow's threads are missing.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.depth = 0
        self.restore = contextlib.ExitStack()
        self.user: int | None = None


_process = _Process()


@contextlib.contextmanager
def own_globals() -> Iterator[None]:
    """Sets the user's global settings aside, and gives them back at the end.

    Raises:
        UsageError: TensorFlow does not run eagerly, or Keras has another backend.
        RunError: The process was forked from one that had computed.
    """
    _check_process()
    # Keras has a policy for each thread, and the rest for all of them.
    with dtype_policy("float32"), contextlib.ExitStack() as stack:
        with _process.lock:
            if _process.depth == 0:
                _process.restore = _set_aside()
            _process.depth += 1
            stack.callback(_leave)
        yield


def isolated(function: Function) -> Function:
    """Returns a function, or a generator, that runs under `own_globals`, and without AutoGraph.

    AutoGraph rewrites the source of each function that tf.data traces, over a second of work in a
    fit. None of ours needs it: what depends on tensors uses `tf.cond`. Nor do Keras' own steps.

    What a generator's user does between two values runs under the user's.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:
            values = function(*args, **kwargs)
            end = object()
            try:
                while True:
                    with own_globals():
                        value = _as_it_is(next)(values, end)
                    if value is end:
                        return
                    yield value
            finally:
                values.close()

        return cast(Function, generate)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with own_globals():
            return _as_it_is(function)(*args, **kwargs)

    return cast(Function, call)


def seed_initial_weights(seed: int) -> None:
    """Seeds what Keras draws initial weights by.

    These are the random numbers of Python. `keras.utils.set_random_seed` seeds TensorFlow's, too,
    of which a caller's could not be restored.
    """
    random.seed(seed)
    np.random.seed(seed)


def _set_aside() -> contextlib.ExitStack:
    """Sets the globals, and returns what restores them when it is closed."""
    stack = contextlib.ExitStack()
    stack.callback(random.setstate, random.getstate())
    stack.callback(np.random.set_state, np.random.get_state())
    for get, put, value in _OURS:
        before = get()
        if before != value:
            stack.callback(put, before)
            put(value)
    return stack


def _leave() -> None:
    with _process.lock:
        _process.depth -= 1
        if _process.depth == 0:
            _process.restore.close()


def _check_process() -> None:
    """Raises an error where nothing can be computed, and notes that this process does."""
    check_imported_backend(keras.config.backend())
    if _process.user is None:
        _process.user = os.getpid()
    elif _process.user != os.getpid():
        raise RunError(
            "This process was forked from one that had used TensorFlow, whose threads a fork "
            "leaves behind: it would wait for them for ever. Start processes by spawn, as "
            "multiprocessing.get_context('spawn') does, or before tfxfer is first used."
        )
    if not tf.executing_eagerly():
        raise UsageError(
            "TensorFlow does not execute eagerly here: tfxfer was called inside a tf.function, or "
            "after tf.compat.v1.disable_eager_execution(). Call it outside, or leave that out."
        )
