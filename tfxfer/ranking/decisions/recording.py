"""What heads decided before training, as a run has recorded it."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from tfxfer.system.run_layout import RunDirectory

Decision = TypeVar("Decision")


def recorded(run: RunDirectory, name: str, of_json: Callable[[Any], Decision]) -> Decision | None:
    """Returns a decision that a run has recorded; None where there is none, or a damaged one.

    Args:
        run: The run.
        name: Of the decision; see `RunDirectory.decision`.
        of_json: Makes the decision of what was written.
    """
    try:
        return of_json(json.loads(run.decision(name).read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
