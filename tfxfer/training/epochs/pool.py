"""The weights of the best epochs of a phase, kept to be averaged when it ends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np

from tfxfer.runs.history import Rank

# The parts of a checkpoint: the scores of the epochs, the weights of each, those before the phase.
_SCORES, _WEIGHTS, _BASE = "pool", "pool_epoch_", "pool_base"


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class PooledEpoch:
    """An epoch and its weights.

    Attributes:
        number: Number of the epoch, from 1.
        loss: Its validation loss.
        metric: Its metric on validation, such as accuracy.
        weights: The weights of the whole classifier after it, as `get_weights` returns them.
    """

    number: int
    loss: float
    metric: float
    weights: list[np.ndarray]


class WeightPool:
    """The weights of the best epochs of a phase, and those before it.

    Args:
        size: Maximum number of epochs to keep; 0 keeps none.
        rank: Sort key of an epoch, of its loss and metric; the greatest are kept.
        base: The weights before the phase; None if they are not needed.
    """

    def __init__(
        self, size: int = 0, rank: Rank | None = None, base: Sequence[np.ndarray] | None = None
    ) -> None:
        self._size = size
        self._rank = rank or (lambda loss, metric: (-loss,))
        self.base = None if base is None else list(base)
        self._epochs: list[PooledEpoch] = []

    @classmethod
    def resumed(
        cls,
        size: int,
        rank: Rank,
        base: Sequence[np.ndarray] | None,
        arrays: Mapping[str, Sequence[np.ndarray]],
    ) -> Self:
        """Returns the pool that a checkpoint holds, or one without epochs if it holds none.

        Args:
            size: Maximum number of epochs.
            rank: Sort key of an epoch.
            base: The weights before the phase, where the checkpoint is that of its start.
            arrays: The arrays of the checkpoint.
        """
        if _SCORES not in arrays:
            return cls(size, rank, base)
        pool = cls(size, rank, arrays.get(_BASE))
        pool._epochs = [
            PooledEpoch(int(number), loss, metric, list(arrays[f"{_WEIGHTS}{int(number)}"]))
            for number, loss, metric in arrays[_SCORES][0].tolist()
        ]
        return pool

    @property
    def epochs(self) -> list[PooledEpoch]:
        """The epochs, the best one first."""
        return list(self._epochs)

    def offer(
        self, number: int, loss: float, metric: float, weights: Callable[[], list[np.ndarray]]
    ) -> None:
        """Keeps the weights of an epoch if it is among the best; of equal ones the first stay.

        Args:
            number: Number of the epoch, from 1.
            loss: Its validation loss.
            metric: Its metric on validation.
            weights: Returns its weights.
        """
        rank = self._rank(loss, metric)
        place = sum(self._rank(one.loss, one.metric) >= rank for one in self._epochs)
        if place < self._size:
            self._epochs.insert(place, PooledEpoch(number, loss, metric, weights()))
            del self._epochs[self._size :]

    def state(self) -> dict[str, list[np.ndarray]]:
        """Returns the arrays for a checkpoint; none if there is no room for epochs."""
        if not self._size:
            return {}
        rows = [(one.number, one.loss, one.metric) for one in self._epochs]
        arrays = {_SCORES: [np.array(rows, np.float64).reshape(-1, 3)]}
        arrays |= {f"{_WEIGHTS}{one.number}": one.weights for one in self._epochs}
        return arrays if self.base is None else {**arrays, _BASE: self.base}


class Pooling(keras.callbacks.Callback):
    """Offers each epoch to a pool, after its scores on validation are in the logs.

    Args:
        pool: The pool.
        weights: Returns the weights that count, such as their average.
    """

    def __init__(self, pool: WeightPool, weights: Callable[[], list[np.ndarray]]) -> None:
        super().__init__()
        self._pool = pool
        self._weights = weights

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Offers the epoch."""
        scores = logs or {}
        self._pool.offer(epoch + 1, scores["val_loss"], scores["val_accuracy"], self._weights)
