"""How many devices train a model."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from tfxfer.config.decided import DecidedTraining
from tfxfer.config.schema import ALL_DEVICES, RunConfig, Xla
from tfxfer.errors import UsageError
from tfxfer.models.objectives import Objective
from tfxfer.system.devices import choose_xla
from tfxfer.system.processes.team import current


@dataclass(frozen=True)
class Devices:
    """The devices that train a model.

    Attributes:
        count: Their number in each process.
        kind: "GPU" or "CPU".
        visible: How many of this kind the backend sees in this process.
        reason: Why not all of them train it; empty where the user asked for this number, or all do.
        processes: How many processes train it together.
    """

    count: int
    kind: str
    visible: int
    reason: str = ""
    processes: int = 1

    @property
    def in_all(self) -> int:
        """The number of devices of all processes."""
        return self.count * self.processes

    def describe(self, batch_size: int) -> str:
        """Returns the devices as words of the plan; empty if there is nothing to choose from.

        Args:
            batch_size: How many examples they divide.
        """
        if self.processes > 1:
            each = f"{self.count} of {self.visible} {self.kind}s each"
            one = f"1 {self.kind} each" if self.visible == 1 else each
            shares = -(-batch_size // self.in_all)
            return (
                f"{self.processes} processes with {one}; of each batch of {batch_size} a process "
                f"reads {shares * self.count}, and a device computes {shares}"
            )
        if self.visible == 1:
            return ""
        count = f"{self.count} of {self.visible} {self.kind}s"
        if self.count > 1:
            return f"{count}, each batch divided among them"
        return f"{count}: {self.reason}" if self.reason else count


def choose_devices(config: DecidedTraining, objective: Objective) -> Devices:
    """Returns the devices that train a model with these settings.

    `all` takes one device where several cannot work, and no more than a batch has examples. Each
    of several processes has as many.

    Args:
        config: Settings of the run; `devices`, `batch_size`, `precision` and `xla` are read.
        objective: Loss of the training.

    Raises:
        UsageError: More than one device was asked for by number, or several processes were, and
            that cannot work.
    """
    kind, visible = _visible()
    obstacle, processes = _obstacle(config, objective), current().count
    if processes > 1:
        return _of_processes(config, kind, visible, obstacle)
    if config.devices == ALL_DEVICES:
        if obstacle and visible > 1:
            return Devices(1, kind, visible, obstacle)
        count = min(visible, config.batch_size)
        reason = "" if count == visible else f"a batch has {config.batch_size}"
        return Devices(count, kind, visible, reason)
    count = int(config.devices)
    if count > visible:
        raise UsageError(
            f"Setting 'devices' is {count}, but {_seen(kind, visible)}. Use '{ALL_DEVICES}' or at "
            f"most {visible}; CUDA_VISIBLE_DEVICES says which GPUs are visible."
        )
    if count > config.batch_size:
        raise UsageError(
            f"Setting 'devices' is {count}, but a batch of {config.batch_size} cannot be divided "
            f"among more than {config.batch_size}. Use fewer devices, or raise --batch-size."
        )
    if count > 1 and obstacle:
        raise UsageError(f"Setting 'devices' is {count}, but {obstacle}. Use --devices 1.")
    return Devices(count, kind, visible)


def _of_processes(config: DecidedTraining, kind: str, visible: int, obstacle: str) -> Devices:
    """Returns the devices of each of the processes that train together."""
    processes = current().count
    if obstacle:
        raise UsageError(f"--distributed cannot train this: {obstacle}.")
    count = visible if config.devices == ALL_DEVICES else int(config.devices)
    if count > visible:
        raise UsageError(
            f"Setting 'devices' is {count}, but each process has its own, and here "
            f"{_seen(kind, visible)}. Use '{ALL_DEVICES}' or at most {visible}."
        )
    if count * processes > config.batch_size:
        raise UsageError(
            f"A batch of {config.batch_size} cannot be divided among {processes} processes with "
            f"{count} of {visible} {kind}s each. Raise --batch-size to at least "
            f"{count * processes}."
        )
    return Devices(count, kind, visible, processes=processes)


def _obstacle(config: DecidedTraining, objective: Objective) -> str:
    """Returns why several devices cannot train with these settings; empty if they can."""
    if objective.view is not None:
        return (
            "with --task-weights uncertainty the weight of a task depends on the losses of a whole "
            "batch, which no device sees"
        )
    # The weights of the other devices are out of its reach (measured with Keras 3.15: an error).
    if config.xla == "on" and keras.backend.backend() == "tensorflow":
        return "XLA (--xla on) compiles the steps of one device"
    return ""


def choose_compilation(config: RunConfig, num_pixels: int) -> Xla:
    """Returns `choose_xla`, which with TensorFlow is never "on" by itself for several devices.

    Args:
        config: The settings; `xla` and `devices` are read.
        num_pixels: Pixels of all training images over all epochs, as the backbone sees them.

    Raises:
        UsageError: XLA is "off" with JAX.
    """
    several = config.devices != "1" and _visible()[1] > 1
    return choose_xla(config.xla, 0 if several else num_pixels)


def _visible() -> tuple[str, int]:
    """Returns the kind of devices that compute, and how many of them the backend sees.

    A CPU is one, unless it was divided into logical devices.
    """
    if keras.backend.backend() == "jax":
        import jax  # an optional dependency

        kind = "CPU" if jax.default_backend() == "cpu" else jax.default_backend().upper()
        return kind, jax.local_device_count()
    kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    # Unlike `list_logical_devices` this does not initialize the devices.
    parts = map(tf.config.get_logical_device_configuration, tf.config.get_visible_devices(kind))
    return kind, sum(len(part or [None]) for part in parts)


def _seen(kind: str, visible: int) -> str:
    return f"{visible} {kind} is visible" if visible == 1 else f"{visible} {kind}s are visible"
