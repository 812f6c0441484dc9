"""`rank` on texts: not there."""

from typing import Any, NoReturn

from tfxfer.errors import UsageError


def rank(*_: str, **settings: Any) -> NoReturn:
    """Raises a UsageError: there is nothing to rank by."""
    raise UsageError(
        f"'{settings.get('data')}' holds texts, and most text backbones come without pretrained "
        "weights to rank them by. Fit several: `tfxfer fit --backbone average`, then minilm."
    )
