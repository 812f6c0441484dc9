import errno
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.errors import InterruptionError, RunError
from tfxfer.runs.failures import describing_failures, is_out_of_memory
from tfxfer.system.run_layout import RunDirectory

CONFIG = FitConfig(batch_size=64, image_size=224)


def name(error, folder, config=CONFIG):
    with describing_failures(RunDirectory(folder), config, "fit"):
        raise error


def test_a_signal_says_how_to_resume(tmp_path):
    run = RunDirectory(tmp_path / "my run")
    with pytest.raises(InterruptionError, match="SIGTERM.* Nothing was trained"):
        name(InterruptionError(15), run.path)
    run.checkpoints.mkdir(parents=True)
    with pytest.raises(InterruptionError, match=r"SIGTERM.*\n  tfxfer fit --resume '.*my run'$"):
        name(InterruptionError(15), run.path)


@pytest.mark.parametrize("kept", ["checkpoints", "out_of_fold"])
def test_a_fit_within_the_run_can_be_resumed_too(kept, tmp_path):
    run, within = RunDirectory(tmp_path), RunDirectory(tmp_path / "validated")
    within.path.mkdir()
    within.config.touch()
    with pytest.raises(InterruptionError, match="Nothing was trained"):
        name(InterruptionError(2), run.path)
    getattr(within, kept).touch() if kept == "out_of_fold" else within.checkpoints.mkdir()
    with pytest.raises(InterruptionError, match=r"SIGINT.*\n  tfxfer fit --resume \S+$"):
        name(InterruptionError(2), run.path)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RunError("Cannot write 'runs/a/history.csv': No space left on device."),
        tf.errors.ResourceExhaustedError(None, None, "runs/a/events; No space left on device"),
    ],
)
def test_a_full_disk_is_reported(error, tmp_path):
    message = r"^Cannot write.*: No space left on device.*\n  tfxfer fit --resume "
    with pytest.raises(RunError, match=message):
        name(error, tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[64]"),
        type("XlaRuntimeError", (RuntimeError,), {})("RESOURCE_EXHAUSTED: Out of memory"),
    ],
)
def test_out_of_memory_suggests_a_smaller_batch(error, tmp_path):
    message = "memory.* 64 images of 224 pixels.*--batch-size 32"
    with pytest.raises(RunError, match=message):
        name(error, tmp_path)
    with pytest.raises(RunError, match="memory.*--image-size below 224"):
        name(error, tmp_path, FitConfig(batch_size=1, image_size=224))


def test_other_errors_are_left_as_they_are(tmp_path):
    with pytest.raises(ZeroDivisionError):
        name(ZeroDivisionError(), tmp_path)
    assert not is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED"))


@pytest.mark.slow
def test_what_tensorflow_and_numpy_raise_without_memory_is_known():
    with pytest.raises(MemoryError) as raised:
        np.empty(2**60, np.uint8)
    assert is_out_of_memory(raised.value)
    # In a process of its own, whose memory is limited after the import.
    program = """
import resource
import tensorflow as tf
from tfxfer.runs.failures import is_out_of_memory
tf.ones((10,)) + 1
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
try:
    tf.ones((2**30,)) + 1
except Exception as error:
    print(type(error).__name__, is_out_of_memory(error))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "ResourceExhaustedError True", done.stderr[-500:]


def test_an_exceeded_quota_is_reported_like_a_full_disk(tmp_path):
    message = r"^Cannot write.*: Disk quota exceeded.*\n  tfxfer fit --resume "
    with pytest.raises(RunError, match=message):
        name(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), tmp_path)
    error = tf.errors.ResourceExhaustedError(None, None, "runs/a/events; Disk quota exceeded")
    assert not is_out_of_memory(error)
    with pytest.raises(RunError, match=message):
        name(error, tmp_path)
