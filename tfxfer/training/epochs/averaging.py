"""The exponential moving average (EMA) of the weights that a phase trains."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfxfer.models.layers import leaf_layers


class WeightAverage(keras.callbacks.Callback):
    """Averages the trained weights over the steps (Polyak & Juditsky 1992).

    After each step `average = momentum * average + (1 - momentum) * weights`. It starts from the
    initial weights. In step t, counted from 1, the momentum is at most (1 + t) / (10 + t), as in
    `tf.train.ExponentialMovingAverage`: otherwise the initial weights would still dominate after
    a hundred steps. Statistics of BatchNorm that adapt are averaged likewise.

    Keras' own `use_ema` leaves out these statistics, has no limit of the momentum, and replaces the
    weights at the end of each `fit`, which a resumed phase calls once more than another.

    Args:
        model: Has the weights that are trained.
        momentum: How much of the average each step keeps, in (0, 1).
        value_of: Returns the value of what is trained in place of a variable of the model.
    """

    def __init__(
        self,
        model: keras.Model,
        momentum: float,
        value_of: Callable[[Any], Any] = keras.ops.convert_to_tensor,
    ) -> None:
        super().__init__()
        self._momentum = momentum
        self._variables = [*model.trainable_variables, *_adapting_statistics(model)]
        self._value_of = value_of
        self._averages = _copies(self._variables)
        self._steps = 0
        self._update = _compiled(_moved)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Updates the average."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # within an epoch JAX keeps the state outside the variables
        self._steps += 1
        momentum = min(self._momentum, (1 + self._steps) / (10 + self._steps))
        values = [self._value_of(variable) for variable in self._variables]
        # As a tensor: a number would be compiled anew for each value.
        share = keras.ops.convert_to_tensor(np.float32(1 - momentum))
        self._averages = self._update(self._averages, values, share)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the model the averaged weights, and its own again at the end."""
        own = _copies(self._variables)
        _assign(self._variables, _copies(self._averages))
        try:
            yield
        finally:
            _assign(self._variables, own)

    def state(self) -> dict[str, list[np.ndarray]]:
        """Returns the average and the number of steps in it, for a checkpoint."""
        averages = [keras.ops.convert_to_numpy(average) for average in self._averages]
        return {"average": averages, "average_steps": [np.array(self._steps)]}

    def restore(self, arrays: Mapping[str, list[np.ndarray]]) -> None:
        """Restores what `state` returned."""
        self._averages = [keras.ops.convert_to_tensor(array) for array in arrays["average"]]
        self._steps = int(arrays["average_steps"][0])


class NoAverage(keras.callbacks.Callback):
    """In place of an average: the weights themselves count."""

    def applied(self) -> contextlib.AbstractContextManager[None]:
        """Leaves the model as it is."""
        return contextlib.nullcontext()

    def state(self) -> dict[str, list[np.ndarray]]:
        """Returns nothing to put into a checkpoint."""
        return {}


def _adapting_statistics(model: keras.Model) -> list[Any]:
    """Returns the moving statistics of the trainable BatchNorm layers."""
    return [
        variable
        for layer in leaf_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        for variable in layer.non_trainable_variables
    ]


def _moved(averages: Sequence[Any], values: Sequence[Any], share: Any) -> list[Any]:
    """Returns the averages, moved by a share of the way to the values."""
    return [
        average + (value - average) * share for average, value in zip(averages, values, strict=True)
    ]


def _compiled(function: Any) -> Any:
    """Returns a function of tensors compiled by the backend, as one call for all weights."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, autograph=False)


def _copies(arrays: Sequence[Any]) -> list[Any]:
    """Returns copies, as JAX reuses the memory of what a variable has held."""
    return [keras.ops.copy(array) for array in arrays]


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
