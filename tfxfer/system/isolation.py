"""Isolates tfxfer from the global settings of Keras and TensorFlow.

They come from `keras.json`, environment variables and the calling script: `floatx`, dtype policy,
`image_data_format`, eager functions, limits on epochs, and the random state of Python and NumPy.
tfxfer sets its own values while it works and restores the user's afterwards.
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

# Getter, setter, and the value while tfxfer works.
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
    """State shared by all threads of a process.

    Attributes:
        lock: Lock of the other attributes.
        depth: Number of active contexts; the first sets the globals, the last restores them.
        restore: Restores the user's globals.
        user: Id of the process that computed first; a forked process lacks TensorFlow's threads.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.depth = 0
        self.restore = contextlib.ExitStack()
        self.user: int | None = None


_process = _Process()


@contextlib.contextmanager
def own_globals() -> Iterator[None]:
    """Sets tfxfer's global settings and restores the user's at the end.

    Raises:
        UsageError: TensorFlow does not run eagerly, or Keras has an unsupported backend.
        RunError: The process was forked from one that had used TensorFlow.
    """
    _check_process()
    # In Keras the dtype policy is per thread, the other settings are global.
    with dtype_policy("float32"), contextlib.ExitStack() as stack:
        with _process.lock:
            if _process.depth == 0:
                _process.restore = _set_aside()
            _process.depth += 1
            stack.callback(_leave)
        yield


def isolated(function: Function) -> Function:
    """Returns a function or generator that runs within `own_globals` and without AutoGraph.

    AutoGraph rewrites the source of each function that tf.data traces, which takes over a second in
    a fit. None of ours needs it: control flow that depends on tensors uses `tf.cond`.

    Between two values of a generator, the caller's settings are restored.

    Args:
        function: Function or generator function.
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
    """Seeds the random generators that Keras draws initial weights from.

    `keras.utils.set_random_seed` would also seed TensorFlow, whose state could not be restored.

    Args:
        seed: The seed, at least 0.
    """
    random.seed(seed)
    np.random.seed(seed)


def _set_aside() -> contextlib.ExitStack:
    """Sets the globals, and returns a stack that restores them when it is closed."""
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
    """Raises an error if this process cannot compute, and remembers its id."""
    check_imported_backend(keras.config.backend())
    if _process.user is None:
        _process.user = os.getpid()
    elif _process.user != os.getpid():
        raise RunError(
            "This process was forked from one that had used TensorFlow, whose threads are lost in "
            "a fork: it would hang. Start processes with multiprocessing.get_context('spawn'), or "
            "before tfxfer is first used."
        )
    if not tf.executing_eagerly():
        raise UsageError(
            "TensorFlow does not execute eagerly here: tfxfer was called inside a tf.function, or "
            "after tf.compat.v1.disable_eager_execution(). Call it outside, or remove that call."
        )
