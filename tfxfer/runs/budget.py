"""The time budget of a run, and how many epochs fit into it."""

import math
import time


class Budget:
    """The time budget of a run, counted over all its interruptions.

    Args:
        minutes: Minutes in total; None for no limit.
        used: Seconds used before the run was resumed.

    Attributes:
        used_before: `used`.
    """

    def __init__(self, minutes: float | None, used: float = 0.0) -> None:
        self._seconds = math.inf if minutes is None else 60 * minutes
        self.used_before = used
        self._start = time.monotonic()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self._seconds)

    @property
    def is_exhausted(self) -> bool:
        """Whether no time is left."""
        return self.left() <= 0

    def used(self) -> float:
        """Returns the seconds used so far."""
        return self.used_before + time.monotonic() - self._start

    def left(self) -> float:
        """Returns the seconds left; negative if the budget is exceeded."""
        return self._seconds - self.used()


def affordable_epochs(
    seconds: float,
    step_seconds: float,
    pass_seconds: float,
    steps: int,
    epochs: int,
    steps_per_execution: int = 1,
) -> tuple[int, int]:
    """Returns the number of epochs that fit into the time, and of steps per epoch.

    If not even one epoch fits, it is shortened to the steps that do, at least one execution.

    Args:
        seconds: Time available.
        step_seconds: Duration of a step.
        pass_seconds: Duration of the validation after an epoch.
        steps: Steps per epoch.
        epochs: Maximum number of epochs.
        steps_per_execution: Steps per execution, a divisor of `steps`.
    """
    fit = math.floor(seconds / max(steps * step_seconds + pass_seconds, 1e-9))
    if fit >= 1:
        return min(fit, epochs), steps
    executions = math.floor((seconds - pass_seconds) / max(step_seconds, 1e-9)) // (
        steps_per_execution
    )
    return 1, min(max(executions, 1) * steps_per_execution, steps)
