"""Notices when a process of a team ends, says which, and ends this one, too.

Without the others no step is ever finished, and what waits for them waits in native code, where no
exception reaches it.
"""

import contextlib
import json
import os
import signal
import threading
import time
from typing import NoReturn

from tfxfer.errors import TfxferError
from tfxfer.system.processes.team import Team
from tfxfer.system.streams import tell

# How often a process says that it lives, and how long the others believe it without that.
_SECONDS, _SILENCE = 2.0, 30.0

# How long a process whose step failed waits for what this thread finds out.
_VERDICT = _SILENCE + 5 * _SECONDS


class Watch:
    """A thread that tells the others that this process lives, and looks whether they do.

    Args:
        team: The processes.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._over = threading.Event()
        self._is_ending = threading.Lock()
        self._heard: dict[int, tuple[str | None, float]] = {}
        self._thread = threading.Thread(target=self._run, name="tfxfer watch", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._over.set()

    def leave_with(self, error: BaseException) -> None:
        """Tells the others that this process ends with an error, unless it has one of theirs.

        A step that fails because another process is gone fails with an error of the network, which
        does not say so: it is left to the thread to find out.
        """
        if not isinstance(error, TfxferError | KeyboardInterrupt | SystemExit):
            time.sleep(_VERDICT)
        self.stop()
        told = {
            "code": getattr(error, "exit_code", 1),
            "error": (str(error).strip().splitlines() or [type(error).__name__])[0],
        }
        with contextlib.suppress(Exception):  # the first process may be gone
            self._team.set(f"ended/{self._team.number}", json.dumps(told))
            if self._team.number == 0:
                time.sleep(2 * _SECONDS)  # what it has told is lost with it

    def end(self, number: int | None, how: str = "is gone", code: int = 1) -> NoReturn:
        """Says that a process is gone, and ends this one.

        Args:
            number: Of the process; None if that is unknown.
            how: What became of it.
            code: Exit code of this one.
        """
        self._is_ending.acquire()  # never released: one message is enough
        who = "another process" if number is None else self._team.describe(number)
        tell(
            f"Error: {who[0].upper()}{who[1:]} {how}. So process {self._team.number} ends, too. "
            "Start all processes again with the same commands: a run that has a checkpoint is "
            "resumed."
        )
        os._exit(code)

    def _run(self) -> None:
        beat = 0
        while not self._over.wait(_SECONDS):
            beat += 1
            try:
                self._team.set(f"alive/{self._team.number}", str(beat))
                ended, alive = self._team.told("ended"), self._team.told("alive")
                asked = self._team.told("stop") if self._team.number == 0 else {}
            except Exception:  # of the network: the first process answers for all
                if not self._over.is_set():
                    self.end(0)
                return
            self._look(ended, alive)
            for number in asked.values():
                _signal_this_process(int(number))

    def _look(self, ended: dict[str, str], alive: dict[str, str]) -> None:
        """Ends this process if another has ended, or has said nothing for too long."""
        now = time.monotonic()
        for number in range(self._team.count):
            if number == self._team.number or self._over.is_set():
                continue
            if str(number) in ended:
                last = json.loads(ended[str(number)])
                self.end(number, f"ended: {last['error']}", last["code"])
            beat = alive.get(str(number))
            before, since = self._heard.get(number, (beat, now))
            since = since if beat == before else now
            self._heard[number] = beat, since
            if now - since > _SILENCE:
                self.end(number, f"has not been heard of for {_SILENCE:.0f} s")


def _signal_this_process(number: int) -> None:
    """Sends this process a signal that another has passed on, unless it has had one."""
    if callable(signal.getsignal(number)):
        os.kill(os.getpid(), number)
