"""Warnings that are shown once, and TensorFlow's, which may be hidden.

Ours go to the logger "tfxfer": scripts see them on standard error or in their own log, and the
command line prints them.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator

_LOGGER = logging.getLogger("tfxfer")

_said: set[str] = set()


def warn_once(about: str, message: str) -> None:
    """Logs a warning unless this process has logged one with the same key.

    Args:
        about: Key of the warning.
        message: What is wrong, what it means, what to do.
    """
    if about not in _said:
        _said.add(about)
        _LOGGER.warning(message)


@contextlib.contextmanager
def shown_by(show: Callable[[str], None]) -> Iterator[None]:
    """Passes warnings to a function instead of the handlers of the process."""

    class Shown(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            show(record.getMessage())

    handler, propagated = Shown(), _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.propagate = False
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.propagate = propagated


@contextlib.contextmanager
def tensorflow_logging_from(level: int) -> Iterator[None]:
    """Silences what TensorFlow logs below a level of `logging`."""
    import tensorflow as tf

    logger = tf.get_logger()
    before = logger.level
    logger.setLevel(max(before, level))
    try:
        yield
    finally:
        logger.setLevel(before)
