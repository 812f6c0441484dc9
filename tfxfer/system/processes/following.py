"""Signals that a process of a team receives."""

import signal
from types import FrameType

from tfxfer.system.processes.team import Team, current
from tfxfer.system.signals import Interruptions


class Following(Interruptions):
    """Passes the first SIGINT or SIGTERM on to the first process, which saves a checkpoint.

    When that has ended, so does this process. A second signal ends it immediately.

    Args:
        team: The processes; this is not the first.
    """

    def __init__(self, team: Team) -> None:
        super().__init__()
        self._team = team

    def check(self) -> None:
        """Does nothing: the first process decides when all end."""

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for other in self._previous:
            signal.signal(other, signal.SIG_DFL)
        self._team.set(f"stop/{self._team.number}", str(number))


def interruptions() -> Interruptions:
    """Returns how this process handles signals."""
    team = current()
    return Interruptions() if team.number == 0 else Following(team)
