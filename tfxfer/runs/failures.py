"""Clear messages for what interrupts a run: signals, full memory, a full disk."""

import contextlib
import errno
from collections.abc import Iterator

import tensorflow as tf

from tfxfer.config.decided import DecidedTraining
from tfxfer.errors import InterruptionError, RunError
from tfxfer.system.names import in_shell
from tfxfer.system.run_layout import RunDirectory

# Messages of TensorFlow, whose errors have no errno, and of the system.
_DISK_FULL = ("No space left on device", "Disk quota exceeded")

_DISK_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def describing_failures(run: RunDirectory, config: DecidedTraining, command: str) -> Iterator[None]:
    """Turns what interrupts a run into an error that says how to resume.

    Args:
        run: The run.
        config: Settings of the run.
        command: "fit" or "pretrain".

    Raises:
        InterruptionError: A signal was received.
        RunError: Memory or disk are full.
    """
    resume = f"tfxfer {command} --resume {in_shell(run.path)}"
    try:
        yield
    except InterruptionError as error:
        what_next = f"Resume with:\n  {resume}" if _has_begun(run) else "Nothing was trained yet."
        raise InterruptionError(error.number, f"\n{error} {what_next}") from None
    except Exception as error:
        if is_disk_full(error):
            first = (str(error).splitlines() or [""])[0]
            reason = next((words for words in _DISK_FULL if words in str(error)), _DISK_FULL[0])
            detail = first if isinstance(error, RunError) else f"Cannot write: {reason}."
            raise RunError(f"{detail} Free some space, then resume with:\n  {resume}") from error
        if is_out_of_memory(error):
            raise RunError(_describe_memory(config)) from error
        raise


def _has_begun(run: RunDirectory) -> bool:
    """Tells whether there is something to resume, of the run or of a fit within it (`--folds`)."""
    if run.checkpoints.is_dir():
        return True
    within = [RunDirectory(file.parent) for file in run.path.glob(f"*/{run.config.name}")]
    return any(one.checkpoints.is_dir() or one.out_of_fold.is_file() for one in within)


def is_disk_full(error: BaseException) -> bool:
    """Tells whether an error means that a disk, or the user's quota on it, is full."""
    number = getattr(error, "errno", None)
    return number in _DISK_FULL_NUMBERS or any(words in str(error) for words in _DISK_FULL)


def is_out_of_memory(error: BaseException) -> bool:
    """Tells whether an error means that the host or device is out of memory."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return not is_disk_full(error)
    # JAX has one class for all errors of a computation.
    return type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and (
        "RESOURCE_EXHAUSTED" in str(error)
    )


def _describe_memory(config: DecidedTraining) -> str:
    """Returns the message for a step that does not fit into memory."""
    size = config.batch_size
    option, length = "an --image-size", config.image_size
    examples = f"images of {length} pixels"
    if length is None:  # what has no pixels has words
        option, length = "a --text-max-words", config.text.max_words
        examples = f"texts of up to {length} words"
    if size > 1:
        what_next = f"Try --batch-size {max(1, size // 2)}, which takes about half as much per step"
    else:
        what_next = f"Try {option} below {length}"
    return (
        f"Out of memory with batches of {size} {examples}. {what_next}. "
        f"On a CPU, a --memory-gigabytes below {config.memory_gigabytes:g} also helps."
    )
