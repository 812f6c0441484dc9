"""What the user should know and what stops nothing, said once.

It is logged by the logger "tfxfer": scripts see it on standard error, or wherever they have their
logs go; the command line prints it.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator

_LOGGER = logging.getLogger("tfxfer")

_said: set[str] = set()


def warn_once(about: str, message: str) -> None:
    """Logs a warning unless this process has logged one about the same before.

    Args:
        about: What makes two warnings the same one.
        message: For the user: what is wrong, what that means, what to do.
    """
    if about not in _said:
        _said.add(about)
        _LOGGER.warning(message)


@contextlib.contextmanager
def shown_by(show: Callable[[str], None]) -> Iterator[None]:
    """Has a function show the notices in place of the handlers of the process."""

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
