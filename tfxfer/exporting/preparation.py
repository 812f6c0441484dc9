"""What an export needs that its weights do not change, made while the model trains."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import keras

from tfxfer.config.frame import Frame
from tfxfer.exporting.serving.decoder import traced_decoder
from tfxfer.exporting.verification import Gate
from tfxfer.system.isolation import isolated
from tfxfer.system.timing.timeline import span


class Preparation:
    """A process that will check an export, and the graph that decodes images in it.

    To import TensorFlow there and to trace the graph here take seconds of one core. Training and
    evaluation leave parts of a core idle, so they are begun before.

    Args:
        frame: Of the images that the model takes.

    Attributes:
        gate: What compares the export with its model, once it has begun.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.gate = Gate()
        self._thread = ThreadPoolExecutor(1, "export")
        self._decoder: Future[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._thread.shutdown()
        if self._decoder is not None:
            self.gate.__exit__(*details)

    def begin(self) -> None:
        """Begins in the background, unless that was done before."""
        if self._decoder is None:
            self.gate.__enter__()
            self._decoder = self._thread.submit(self._traced)

    def decoder(self) -> Any:
        """Returns the result of `traced_decoder`; None if another process writes the export."""
        return None if self._decoder is None else self._decoder.result()

    def _traced(self) -> Any:
        if keras.backend.backend() != "tensorflow":
            return None
        with span("trace the decoder"):
            return isolated(traced_decoder)(self._frame)
