"""Everything the report of a run that predicts a number is written from."""

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.evaluation.numbers.result import NumberResult
from tfxfer.reporting.findings import RunFindings
from tfxfer.runs.history import Epoch


@dataclass(frozen=True)
class NumberFindings(RunFindings[NumberResult]):
    """A run whose images have a number each."""

    @property
    def metric_name(self) -> str:
        """What the metric of an epoch is called."""
        return "mean absolute error"

    @property
    def shown_epochs(self) -> list[Epoch]:
        """The epochs, with the mean absolute error in place of the accuracy."""
        spread = self.result.number.spread
        return [
            dataclasses.replace(
                epoch,
                train_accuracy=(1 - epoch.train_accuracy) * spread,
                validation_accuracy=(1 - epoch.validation_accuracy) * spread,
            )
            for epoch in self.epochs
        ]

    @functools.cached_property
    def worst(self) -> npt.NDArray[np.int64]:
        """The images, the one with the largest error first."""
        order: npt.NDArray[np.int64] = np.argsort(-np.abs(self.result.errors), kind="stable")
        return order
