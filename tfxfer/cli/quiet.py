"""TensorFlow without its startup messages, and without those of the libraries in it."""

import contextlib
import gc
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from tfxfer.cli.allocator import keep_freed_memory
from tfxfer.errors import InterruptionError
from tfxfer.system import streams
from tfxfer.system.keras_settings import check_keras, expand_variables


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Imports TensorFlow and hides its startup messages, unless the import fails.

    Native code writes them to standard error before it reads any logging level
    (TF_CPP_MIN_LOG_LEVEL does not stop them in TensorFlow 2.21), so standard error is redirected
    meanwhile. Also makes the allocator keep freed memory; see `keep_freed_memory`.
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
            with _without_garbage_collection():
                with _without_optional_imports():
                    import absl.logging
                    import tensorflow as tf

                absl.logging.set_verbosity("error")
                tf.get_logger().setLevel("ERROR")
                tf.config.list_physical_devices()  # detecting GPUs prints messages, too
                yield
        except Exception as error:
            if isinstance(error, InterruptionError):
                raise
            notices.seek(0)
            with contextlib.suppress(OSError):  # standard error may be full or closed
                os.write(kept, notices.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _without_optional_imports() -> Iterator[None]:
    """Hides what Keras imports only if it is installed, and what no command passes to it.

    Of 3.7 processor seconds until a command starts they take 0.5. Whoever needs them later imports
    them as usual.
    """
    hidden = [name for name in ("pandas", "sklearn") if name not in sys.modules]
    nothing: dict[str, Any] = dict.fromkeys(hidden)
    sys.modules.update(nothing)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collects no garbage during the first import of TensorFlow, and ignores its objects after.

    They live until the end, and there are so many that looking at them takes 0.6 of the 2.6
    processor seconds of the import, and a sixth of the time in which a model is loaded.
    """
    if "tensorflow" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hides what native libraries write to standard error; what Python writes is shown.

    libjpeg warns of each corrupt image without naming it, and oneDNN of types that it lacks. No
    setting stops them. With TF_CPP_MIN_LOG_LEVEL at 0 or 1 they are shown.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2") < "2":
        yield
        return
    stream = sys.stderr
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    if isinstance(stream, io.TextIOWrapper) and _descriptor(stream) == 2:
        sys.stderr = open(kept, "w", 1, stream.encoding, stream.errors, closefd=False)  # noqa: SIM115
    try:
        yield
    finally:
        sys.stderr = stream
        os.dup2(kept, 2)
        os.close(kept)


def _descriptor(stream: io.TextIOWrapper) -> int | None:
    """Returns the descriptor that a stream writes to; None if it is in memory, or closed."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _scratch_file() -> IO[bytes]:
    """Returns a temporary file, in memory if no disk can be written."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return os.fdopen(os.memfd_create("notices"), "w+b")
