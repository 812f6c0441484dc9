"""Joins the processes that train together, and leaves them in an order that JAX survives.

JAX's coordination service, in the first process, is all that connects them besides the sums of
gradients: https://docs.jax.dev/en/latest/multi_process.html.
"""

import atexit
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import keras

from tfxfer.errors import RunError, UsageError
from tfxfer.system.processes.asked import Processes
from tfxfer.system.processes.messages import Message
from tfxfer.system.processes.team import Team, belonging_to
from tfxfer.system.processes.watching import Watch
from tfxfer.system.streams import tell

# What JAX would do by itself: longer than `Watch` takes, which says more.
_HEARTBEAT_SECONDS = 100


@contextlib.contextmanager
def joined(asked: Processes) -> Iterator[Team]:
    """Makes this process one of those that train together, until the block ends in all of them.

    It must be entered before JAX has computed anything.

    Args:
        asked: The processes, as far as they are not found in SLURM, Open MPI, Kubernetes or a TPU
            pod.

    Raises:
        UsageError: The backend is not JAX, or nothing says who the processes are.
        RunError: Not as many processes as were asked for have joined.
    """
    check_backend()
    abort = _Abort()
    abort.explained_by(lambda: tell(f"Error: {_not_joined(asked)}"))
    team = _initialized(asked)
    watch = Watch(team)
    # Who is missed at once is the first, with which the service is gone; see `Watch` for others.
    abort.explained_by(lambda: watch.end(0 if team.number else None))
    watch.start()
    try:
        with belonging_to(team):
            yield team
    except BaseException as error:
        code = getattr(error, "exit_code", 1)
        watch.leave_with(error)
        abort.explained_by(lambda: os._exit(code))
        atexit.register(_end_at_once, code, abort)  # before what others have registered
        raise
    _leave_together(team, watch)
    abort.close()


def check_backend() -> None:
    """Raises a UsageError unless Keras runs on JAX."""
    backend = keras.backend.backend()
    if backend != "jax":
        raise UsageError(
            f"--distributed needs JAX (pip install 'tfxfer[jax]'), but Keras runs on {backend}. "
            "Set KERAS_BACKEND=jax."
        )


class _Abort:
    """What happens when JAX ends the process, by `abort`, because another is gone.

    It does so in a thread of its own, and cannot be given a function of Python: that ends the
    process, too (measured with JAX 0.10: `missed_heartbeat_callback`, std::bad_cast). The signal
    comes from that thread, so its handler runs there like any other function.
    """

    def __init__(self) -> None:
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int)
        self._handler = kind(self._handle)
        set_handler = ctypes.CDLL(None).signal
        set_handler.argtypes, set_handler.restype = [ctypes.c_int, kind], ctypes.c_void_p
        set_handler(signal.SIGABRT, self._handler)

    def explained_by(self, explain: Callable[[], object]) -> None:
        """Sets what says what happened."""
        self._explain = explain

    def close(self) -> None:
        """Lets `abort` do what it always does."""
        signal.signal(signal.SIGABRT, signal.SIG_DFL)

    def _handle(self, number: int) -> None:
        self._explain()
        os._exit(1)


def _initialized(asked: Processes) -> Team:
    """Returns the team, once all have joined."""
    import jax
    from jax._src import distributed  # the client, which has no public name

    # Without it there are no sums over the CPUs of several processes.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # It would take SIGTERM away from `Interruptions`.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            asked.coordinator,
            asked.count,
            asked.number,
            initialization_timeout=asked.seconds,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        )
    except (ValueError, TypeError) as error:
        reason = str(error).rstrip(".")
        raise UsageError(
            f"Nothing says which processes train together ({reason}). Give --coordinator "
            "HOST:PORT, --process-id and --num-processes, or start tfxfer by SLURM (srun), Open "
            "MPI (mpirun) or in a Kubernetes Job, where JAX finds them."
        ) from None
    except RuntimeError as error:
        raise RunError(f"{_not_joined(asked)} JAX: {str(error).splitlines()[0]}") from None
    number, count = jax.process_index(), jax.process_count()
    if count != (count if asked.count is None else asked.count):
        raise RunError(
            f"{asked.count} processes were asked for, but JAX has {count}: they would train "
            "models of their own. Is the JAX that is installed one for this device?"
        )
    team = Team(number, count, distributed.global_state.client)
    with _without_output():  # Gloo tells of the first sum on standard output
        team.from_first(Message)
    team.names = team.from_all(f"pid {os.getpid()} on {socket.gethostname()}")
    return team


@contextlib.contextmanager
def _without_output() -> Iterator[None]:
    """Drops what native code writes to standard output."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _not_joined(asked: Processes) -> str:
    """Returns the message for processes that do not come together."""
    count = f"{asked.count} processes" if asked.count else "all processes"
    return (
        f"Not {count} have joined {asked.describe()} within {asked.seconds} s. Do all run, each "
        "with a --process-id of its own and the same --num-processes? Is process 0 on the host of "
        "--coordinator, is its port free there, and can this host "
        f"({socket.gethostname()}) reach it? --coordinator-seconds waits longer."
    )


def _leave_together(team: Team, watch: Watch) -> None:
    """Waits until all processes are done: one that leaves earlier would end the others."""
    import jax

    team.from_all("done")
    watch.stop()
    jax.distributed.shutdown()


def _end_at_once(code: int, _: _Abort) -> None:
    """Ends this process without what JAX would do: wait for the others, which may be gone.

    Args:
        code: Its exit code.
        _: What must live until then.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
