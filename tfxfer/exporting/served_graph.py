"""A SavedModel as TensorFlow Serving runs it: its graph and its weights, and nothing else."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.errors import ExportError
from tfxfer.system.notices import tensorflow_logging_from

# Outputs of a signature by name.
Answer = Mapping[str, npt.NDArray[Any]]


class ServedGraph:
    """The graph of a SavedModel in a session of its own.

    Only TensorFlow's kernels run it. No Python code takes part: neither that of Keras and tfxfer
    nor the objects that `tf.saved_model.load` makes. It runs on the CPU, as the model may hold all
    of the GPU; what is compared is the function.

    Args:
        directory: Of the SavedModel.

    Raises:
        ExportError: TensorFlow cannot load it.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        graph = tf.Graph()
        # Each signature is one function, whose graph is optimized in any case.
        options = tf.compat.v1.GraphOptions()
        options.rewrite_options.disable_meta_optimizer = True
        config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, graph_options=options)
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        tags = [tf.saved_model.SERVING]
        with _naming(), tensorflow_logging_from(logging.ERROR), graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, tags, str(directory))
        self._signatures = dict(meta.signature_def)

    def answer(self, signature: str, given: Any) -> Answer:
        """Returns what a signature of one input answers, text as `str`.

        Raises:
            ExportError: There is no such signature, or TensorFlow cannot run it.
        """
        if not self.has(signature):
            raise ExportError(f"The export has no signature '{signature}'. It was not published.")
        called = self._signatures[signature]
        with _naming():
            (taken,) = called.inputs.values()
            wanted = {name: output.name for name, output in called.outputs.items()}
            found = self._session.run(wanted, {taken.name: given})
        return {name: _decoded(values) for name, values in found.items()}

    def answer_singly(self, signature: str, given: Sequence[Any]) -> Answer:
        """Returns the answers to batches of one, joined; see `answer`."""
        answers = [self.answer(signature, [one]) for one in given]
        return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}

    def has(self, signature: str) -> bool:
        """Tells whether there is such a signature."""
        return signature in self._signatures

    def close(self) -> None:
        """Frees its memory."""
        self._session.close()


def same(one: Answer, other: Answer) -> bool:
    """Tells whether two answers are the same to the bit."""
    return one.keys() == other.keys() and all(
        np.array_equal(values, other[name]) for name, values in one.items()
    )


@contextlib.contextmanager
def _naming() -> Iterator[None]:
    """Makes an ExportError of what TensorFlow raises where it cannot run a SavedModel."""
    try:
        yield
    except (tf.errors.OpError, OSError, ValueError) as error:
        told = str(error).removeprefix("Graph execution error:").strip()
        lines = told.splitlines() or ["no error message"]
        raise ExportError(
            f"TensorFlow cannot run the export: {lines[0].rstrip('.')}. It was not published."
        ) from error


def _decoded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype != object:
        return values
    return np.array([one.decode() for one in values.flat], dtype=str).reshape(values.shape)
