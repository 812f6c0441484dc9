"""What computes the shards of a job: this process, or workers of Ray on this machine or a cluster.

Ray starts the workers, restarts one that dies and gives its shard to another. Measured with Ray 2:
the number of blocks and of workers must be given, or a small job waits for minutes.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.jobs.shards import SHARD_SIZE

Engine = Literal["local", "ray"]

# What TensorFlow asks how many threads it may have.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")

# Computes and writes the shard of a number.
Write = Callable[[int], None]


@dataclass(frozen=True)
class Sharding:
    """How a job is divided, and what computes it.

    Attributes:
        size: Files of a shard.
        engine: "local" computes in this process, "ray" in workers of Ray.
        workers: Processes of Ray; None is the number of cores.
        address: Of a Ray cluster; None starts Ray on this machine.
    """

    size: int = SHARD_SIZE
    engine: Engine = "local"
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.engine == "local" and (self.workers is not None or self.address is not None):
            option = "workers" if self.workers is not None else "address"
            raise UsageError(f"Option --{option} is for --engine ray. Leave it out, or add that.")
        if self.size < 1 or (self.workers is not None and self.workers < 1):
            raise UsageError("Options --shard-size and --workers must be at least 1.")


def run_here(numbers: Sequence[int], write: Write) -> Iterator[int]:
    """Computes shards one after the other in this process; yields the number of each."""
    for number in numbers:
        write(number)
        yield number


def check_ray() -> None:
    """Raises a UsageError where Ray is not installed."""
    _import_ray()


def run_on_ray(
    numbers: Sequence[int], write: Write, workers: int, address: str | None
) -> Iterator[int]:
    """Computes shards by Ray Data; yields the number of each that is finished.

    Args:
        numbers: The shards.
        write: Is sent to the workers by pickle.
        workers: How many processes; each loads the model once.
        address: Of a cluster, "auto" or "ray://HOST:PORT"; None starts Ray on this machine.

    Raises:
        UsageError: There is no such cluster.
        RunError: A shard failed; the message has its reason. The others are finished.
    """
    ray = _import_ray()
    # Each worker has its part of the cores.
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    environment = {"env_vars": dict.fromkeys(_THREADS, threads)}
    quiet = {"log_to_driver": False, "logging_level": "error", "runtime_env": environment}
    own: dict[str, Any] = {"include_dashboard": False, "num_cpus": workers}
    try:
        ray.init(address=address, **quiet, **(own if address is None else {}))
    except (ConnectionError, ValueError) as error:
        raise UsageError(f"There is no Ray cluster at '{address}': {error}") from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        items = [{"number": number} for number in numbers]
        done = ray.data.from_items(items, override_num_blocks=len(items)).map(
            _Worker, fn_constructor_args=(write,), concurrency=workers, num_cpus=1
        )
        failed = []
        for row in done.iter_rows():
            if row["error"]:
                failed.append(row["error"])
            yield int(row["number"])
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise RunError(f"Ray failed: {reason}. Finished shards stay; run it again.") from error
    finally:
        ray.shutdown()
    if failed:
        raise RunError(
            f"{len(failed):,} of {len(numbers):,} shards failed; run the command again for these. "
            f"The first reason: {failed[0]}"
        )


class _Worker:
    """A process of Ray that computes shards."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Computes the shard of a row, and returns it with the reason if that failed."""
        try:
            self._write(row["number"])
        except Exception as error:  # one bad shard must not end the job
            return {**row, "error": str(error) or type(error).__name__}
        return {**row, "error": ""}


def _import_ray() -> Any:
    """Returns Ray, which is an extra."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError(
            "The engine 'ray' needs the package 'ray': pip install 'tfxfer[ray]'."
        ) from None
    return ray
