"""What ends a run that is not its own fault, named: a signal, the memory, the disk."""

import contextlib
import errno
from collections.abc import Iterator

import tensorflow as tf

from tfxfer.config.decided import DecidedRun
from tfxfer.errors import InterruptionError, RunError
from tfxfer.system.names import in_shell
from tfxfer.system.run_layout import RunDirectory

# What TensorFlow says, whose errors have no number, and what the system does.
_DISK_FULL = ("No space left on device", "Disk quota exceeded")

_DISK_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def naming_trouble(run: RunDirectory, config: DecidedRun, command: str) -> Iterator[None]:
    """Turns what ends a run into an error that says how it goes on.

    Args:
        run: Its directory.
        config: Its settings.
        command: "fit" or "pretrain".

    Raises:
        InterruptionError: A signal came.
        RunError: The memory or the disk is full.
    """
    resume = f"tfxfer {command} --resume {in_shell(run.path)}"
    try:
        yield
    except InterruptionError as error:
        begun = run.checkpoints.is_dir()
        what_next = f"Go on with:\n  {resume}" if begun else "Nothing was trained yet."
        raise InterruptionError(error.number, f"\n{error} {what_next}") from None
    except Exception as error:
        if is_disk_full(error):
            first = (str(error).splitlines() or [""])[0]
            reason = next((words for words in _DISK_FULL if words in str(error)), _DISK_FULL[0])
            detail = first if isinstance(error, RunError) else f"Cannot write: {reason}."
            raise RunError(f"{detail} Make room, then go on with:\n  {resume}") from error
        if is_out_of_memory(error):
            raise RunError(_describe_memory(config)) from error
        raise


def is_disk_full(error: BaseException) -> bool:
    """Tells whether an error is that of a disk, or a user's share of it, without room left."""
    number = getattr(error, "errno", None)
    return number in _DISK_FULL_NUMBERS or any(words in str(error) for words in _DISK_FULL)


def is_out_of_memory(error: BaseException) -> bool:
    """Tells whether an error is that of a host or device without memory left."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return not is_disk_full(error)
    # JAX has one class for all that goes wrong in a computation.
    return type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and (
        "RESOURCE_EXHAUSTED" in str(error)
    )


def _describe_memory(config: DecidedRun) -> str:
    """Returns what to do where a step does not fit into the memory."""
    size = config.batch_size
    if size > 1:
        what_next = (
            f"Try --batch-size {max(1, size // 2)}, for which a step takes about half as much"
        )
    else:
        what_next = f"Try a smaller --image-size than {config.image_size}"
    return (
        f"The memory is not enough for batches of {size} images of {config.image_size} pixels. "
        f"{what_next}; on the host, also less than --memory-gigabytes {config.memory_gigabytes:g}."
    )
