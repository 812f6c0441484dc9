"""Where a model is trained: on one device as it is, or as a copy on each of several."""

import contextlib
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfxfer.models.objectives import Objective
from tfxfer.models.replicas.copying import copied
from tfxfer.models.replicas.shares import in_shares, padded
from tfxfer.models.replicas.summing import see_sums
from tfxfer.models.replicas.weighing import for_padded_batches


class OneDevice:
    """A model that is trained where it is.

    Args:
        model: The model.

    Attributes:
        model: The model to compile, while `compiling`.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def compiling(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which the model is compiled."""
        return contextlib.nullcontext()

    def objective(self, objective: Objective) -> Objective:
        """Returns the objective for the batches of `divided`."""
        return objective

    def adapt(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Makes an optimizer that was just built do what it would do on one device."""

    def steps_at_once(self, most: int) -> int:
        """Returns how many steps one call from Python may take."""
        return most

    def divided(self, batches: tf.data.Dataset) -> Any:
        """Returns the batches as the model takes them."""
        return batches

    def copy_of(self, variable: Any) -> Any:
        """Returns the variable that is trained in place of one of the model that was given."""
        return variable

    def begin(self) -> None:
        """Gives the trained model the values of the model that was given."""

    def collect(self) -> None:
        """Gives the model that was given the values of the trained model."""


class SeveralDevices(OneDevice):
    """A copy of a model that is trained on several devices with MirroredStrategy (TensorFlow).

    Each device computes the gradients of its share of each batch; their sum is applied everywhere.
    BatchNorm layers that adapt normalize by the statistics of the whole batch.

    Args:
        model: The model, which itself stays on one device.
        num_devices: At least 2.
    """

    def __init__(self, model: keras.Model, num_devices: int) -> None:
        self._strategy = _mirrored(num_devices)
        self._original, self._num_devices = model, num_devices
        with self.compiling():
            super().__init__(copied(model, shares_statistics=True))
        self._copies = {
            id(ours): copy for ours, copy in zip(model.variables, self.model.variables, strict=True)
        }

    def compiling(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context of the strategy, which the compiled model then remembers."""
        scope: contextlib.AbstractContextManager[Any] = self._strategy.scope()
        return scope

    def objective(self, objective: Objective) -> Objective:
        """Returns the objective for padded batches; the loss is added up over devices."""
        view = for_padded_batches(objective.view, self._num_devices)
        return dataclasses.replace(objective, view=view)

    def adapt(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Makes an optimizer see the gradient of the whole batch; see `see_sums`."""
        see_sums(optimizer, self._num_devices)

    def steps_at_once(self, most: int) -> int:
        """Returns 1: with MirroredStrategy, Keras 3.15 cannot take several steps in a call."""
        return 1

    def divided(self, batches: tf.data.Dataset) -> Any:
        """Returns batches, padded, as one share for each device."""
        shares = batches.map(lambda *batch: padded(batch, self._num_devices)).flat_map(
            lambda *batch: in_shares(batch, self._num_devices)
        )
        return self._strategy.distribute_datasets_from_function(lambda context: shares)

    def copy_of(self, variable: Any) -> Any:
        """Returns the variable of the copy."""
        return self._copies[id(variable)]

    def begin(self) -> None:
        """Copies the values to all devices."""
        for variable in self._original.variables:
            self.copy_of(variable).assign(keras.ops.convert_to_numpy(variable))

    def collect(self) -> None:
        """Copies the values back."""
        for variable in self._original.variables:
            variable.assign(keras.ops.convert_to_numpy(self.copy_of(variable)))


def placed(model: keras.Model, num_devices: int) -> OneDevice:
    """Returns where a model is trained.

    Args:
        model: The model.
        num_devices: At least 1.
    """
    return OneDevice(model) if num_devices == 1 else SeveralDevices(model, num_devices)


def rate_factors_of(
    place: OneDevice, model: keras.Model, factors: Mapping[int, float] | None
) -> Mapping[int, float] | None:
    """Returns factors of the learning rate by the `id` of the variable that is trained.

    Args:
        place: Where the model is trained.
        model: The model.
        factors: Factors by the `id` of its variables, and of others; None if all are 1.
    """
    if factors is None:
        return None
    return {
        id(place.copy_of(variable)): factors[id(variable)]
        for variable in model.variables
        if id(variable) in factors
    }


@functools.cache  # a second strategy of a process would number its sums from the start: they clash
def _mirrored(num_devices: int) -> tf.distribute.Strategy:
    """Returns the strategy for the first devices of the kind that computes."""
    kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    devices = [f"{kind}:{number}" for number in range(num_devices)]
    return tf.distribute.MirroredStrategy(devices)
