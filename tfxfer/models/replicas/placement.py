"""Where a model is trained: on one device as it is, or as a copy on each of several."""

import collections
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from tfxfer.models.objectives import Objective, Scores
from tfxfer.models.replicas.copying import copied
from tfxfer.models.replicas.summing import see_sums
from tfxfer.models.replicas.weighing import for_padded_batches
from tfxfer.system.processes.messages import Message
from tfxfer.system.processes.shares import Share, in_shares, padded
from tfxfer.system.processes.team import current


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

    def training(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which the compiled model is trained."""
        return contextlib.nullcontext()

    def apart(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context, within `training`, in which other models compute."""
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

    def read(self, batches: Callable[..., tf.data.Dataset], first: int, end: int, step: int) -> Any:
        """Returns the batches of epochs as the model takes them.

        Args:
            batches: See `Batches.of`.
            first: The first epoch.
            end: The one behind the last.
            step: How many batches of the first epoch are left out.
        """
        return self.divided(batches(first, end, step))

    def scored(self, score: Callable[[], Scores]) -> Scores:
        """Returns the scores of the model."""
        return score()

    def copy_of(self, variable: Any) -> Any:
        """Returns the variable that is trained in place of one of the model that was given."""
        return variable

    def value_of(self, variable: Any) -> Any:
        """Returns the value of `copy_of` a variable, as a tensor of one device or of several."""
        return keras.ops.convert_to_tensor(self.copy_of(variable))

    def begin(self) -> None:
        """Gives the trained model the values of the model that was given."""

    def collect(self) -> None:
        """Gives the model that was given the values of the trained model."""


class SeveralDevices(OneDevice):
    """A copy of a model that several devices train; the model itself stays on one.

    Args:
        model: The model.
        num_devices: That train it.
    """

    def __init__(self, model: keras.Model, num_devices: int) -> None:
        self._original, self._num_devices = model, num_devices
        with self.compiling():
            super().__init__(copied(model, shares_statistics=self.shares_statistics))
        pairs = zip(model.variables, self.model.variables, strict=True)
        self._copies = {id(ours): copy for ours, copy in pairs}

    # Whether BatchNorm must be told to normalize by the statistics of a whole batch.
    shares_statistics = False

    # How many parts of a batch have losses of their own that are added up.
    num_sums = 1

    def objective(self, objective: Objective) -> Objective:
        """Returns the objective for padded batches."""
        view = for_padded_batches(objective.view, self.num_sums)
        return dataclasses.replace(objective, view=view)

    def steps_at_once(self, most: int) -> int:
        """Returns 1: with MirroredStrategy, Keras 3.15 cannot take several steps in a call."""
        return 1

    def divided(self, batches: tf.data.Dataset) -> Any:
        """Returns batches, padded, of which each device takes its share."""
        return batches.map(lambda *batch: padded(batch, self._num_devices))

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


class Mirrored(SeveralDevices):
    """A copy that is trained with MirroredStrategy (TensorFlow).

    Each device computes the gradients of its share of each batch; their sum is applied everywhere.
    BatchNorm layers that adapt normalize by the statistics of the whole batch.

    Args:
        model: The model.
        num_devices: That train it.
    """

    shares_statistics = True

    def __init__(self, model: keras.Model, num_devices: int) -> None:
        self._strategy, self.num_sums = _mirrored(num_devices), num_devices
        super().__init__(model, num_devices)

    def compiling(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context of the strategy, which the compiled model then remembers."""
        scope: contextlib.AbstractContextManager[Any] = self._strategy.scope()
        return scope

    def adapt(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Makes an optimizer see the gradient of the whole batch; see `see_sums`."""
        see_sums(optimizer, self._num_devices)

    def divided(self, batches: tf.data.Dataset) -> Any:
        """Returns batches, padded, as one share for each device."""
        shares = (
            super().divided(batches).flat_map(lambda *batch: in_shares(batch, self._num_devices))
        )
        return self._strategy.distribute_datasets_from_function(lambda context: shares)


class DataParallel(SeveralDevices):
    """A copy that is trained with `keras.distribution.DataParallel` (JAX).

    One program computes on the whole batch, of which each device holds a share.

    Args:
        model: The model.
        num_devices: That train it.
    """

    def __init__(self, model: keras.Model, num_devices: int) -> None:
        devices = self._devices(num_devices)
        self._distribution = keras.distribution.DataParallel(
            devices=devices, auto_shard_dataset=False
        )
        super().__init__(model, num_devices)

    def compiling(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which variables are on all devices."""
        return _distributed(self._distribution)

    def training(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which batches are divided."""
        return _distributed(self._distribution)

    def apart(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which nothing is divided."""
        return _distributed(None)

    def _devices(self, count: int) -> list[str]:
        """Returns the names that Keras has for the devices."""
        names: list[str] = keras.distribution.list_devices()
        return names[:count]


class SeveralProcesses(DataParallel):
    """A copy that is trained by the devices of several processes, each of which has the model.

    What is not training, such as validation, is done by the first process for all.

    Args:
        model: The model.
        num_devices: That train it, of all processes together; each has as many.
    """

    def read(self, batches: Callable[..., tf.data.Dataset], first: int, end: int, step: int) -> Any:
        """Returns this process's share of the batches of epochs, padded."""
        team = current()
        share = Share(team.number, team.count, self._num_devices)
        return batches(first, end, step, share)

    def scored(self, score: Callable[[], Scores]) -> Scores:
        """Returns to all processes the scores that the first one finds."""
        told = current().from_first(lambda: Message([float(value) for value in score()]))
        return Scores(*told.state)

    def value_of(self, variable: Any) -> Any:
        """Returns the value of `copy_of` a variable on a device of this process."""
        return self.copy_of(variable).value.addressable_data(0)

    def _devices(self, count: int) -> list[str]:
        import jax

        most = count // current().count
        used = collections.Counter[int]()
        names = []
        for device in jax.devices():
            used[device.process_index] += 1
            if used[device.process_index] <= most:
                names.append(f"{device.platform}:{device.id}")
        return names


def placed(model: keras.Model, num_devices: int) -> OneDevice:
    """Returns where a model is trained.

    Args:
        model: The model.
        num_devices: Of all processes together, at least 1.
    """
    if current().count > 1:
        return SeveralProcesses(model, num_devices)
    if num_devices == 1:
        return OneDevice(model)
    kind = DataParallel if keras.backend.backend() == "jax" else Mirrored
    return kind(model, num_devices)


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


@contextlib.contextmanager
def _distributed(distribution: Any) -> Iterator[None]:
    """Sets Keras' distribution, None for none, and restores the one before."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


@functools.cache  # a second strategy of a process would number its sums from the start: they clash
def _mirrored(num_devices: int) -> tf.distribute.Strategy:
    """Returns the strategy for the first devices of the kind that computes."""
    kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    devices = [f"{kind}:{number}" for number in range(num_devices)]
    return tf.distribute.MirroredStrategy(devices)
