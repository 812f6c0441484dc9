"""`label_next` for texts: not there yet."""

from typing import Any, NoReturn

from tfxfer.errors import UsageError


def label_next(run: str, *_: Any, **__: Any) -> NoReturn:
    """Raises a UsageError: only images are chosen.

    Args:
        run: The run.
    """
    raise UsageError(
        f"'{run}' is a model of texts, but `tfxfer label-next` chooses images only. `tfxfer "
        f"predict {run} FILE` gives the probability of each text: label the least certain ones."
    )
