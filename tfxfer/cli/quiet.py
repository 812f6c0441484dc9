"""Imports TensorFlow without the lines that it prints."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from tfxfer.cli.allocator import keep_freed_memory
from tfxfer.system import streams
from tfxfer.system.keras_settings import check_keras, expand_variables


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Keeps TensorFlow's notices off the screen, and memory that it frees for its next operation.

    If the import fails the notices are shown.

    Those of the start are written by native code before any logging level is looked at
    (TF_CPP_MIN_LOG_LEVEL does not stop them in TensorFlow 2.21), so standard error itself is put
    aside meanwhile.
    """
    expand_variables()
    check_keras()
    keep_freed_memory()
    streams.occupy_closed_descriptors()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    streams.write_to_stderr("")
    kept = os.dup(2)
    with _scratch_file() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            import absl.logging
            import tensorflow as tf

            absl.logging.set_verbosity("error")
            tf.get_logger().setLevel("ERROR")
            tf.config.list_physical_devices()  # the search for GPUs has notices of its own
            yield
        except BaseException:
            notices.seek(0)
            with contextlib.suppress(OSError):  # standard error may be full, or its reader gone
                os.write(kept, notices.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _scratch_file() -> IO[bytes]:
    """Returns an empty file that goes when it is closed, in memory where no disk can be written."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return os.fdopen(os.memfd_create("notices"), "w+b")
