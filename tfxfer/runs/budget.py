"""How much time a run has, and how many epochs fit into it."""

import math
import time


class Budget:
    """The time that a run may take, over all the times that it was begun again.

    Args:
        minutes: In all; None is no limit.
        used: Seconds that were used before.
    """

    def __init__(self, minutes: float | None, used: float = 0.0) -> None:
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._used = used
        self._start = time.monotonic()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self._seconds)

    @property
    def is_over(self) -> bool:
        """Whether all of the time has passed."""
        return self.left() <= 0

    def used(self) -> float:
        """Returns the seconds used so far."""
        return self._used + time.monotonic() - self._start

    def left(self) -> float:
        """Returns the seconds left; below 0 where more were used."""
        return self._seconds - self.used()


def epochs_in(
    seconds: float,
    step_seconds: float,
    pass_seconds: float,
    steps: int,
    epochs: int,
    together: int = 1,
) -> tuple[int, int]:
    """Returns how many epochs fit into some time, and how many steps each of them has.

    Where not one does, it is one epoch of as many steps as fit, and at least one execution.

    Args:
        seconds: The time.
        step_seconds: What a step takes.
        pass_seconds: What the pass over validation after an epoch takes.
        steps: In an epoch.
        epochs: At the most.
        together: Steps in an execution, a divisor of `steps`.
    """
    fit = math.floor(seconds / max(steps * step_seconds + pass_seconds, 1e-9))
    if fit >= 1:
        return min(fit, epochs), steps
    part = math.floor((seconds - pass_seconds) / max(step_seconds, 1e-9)) // together * together
    return 1, min(max(part, together), steps)
