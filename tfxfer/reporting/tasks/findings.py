"""Everything the report of a run of several tasks is written from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.tasks import MISSING
from tfxfer.evaluation.tasks.result import TasksResult
from tfxfer.reporting.findings import RunFindings


@dataclass(frozen=True)
class TasksFindings(RunFindings[TasksResult]):
    """A run whose images have a class of each of several tasks."""

    def mistakes(self, task: str) -> npt.NDArray[np.int64]:
        """Returns the images whose class of a task is wrong, the most confident mistake first."""
        result, place = self.result, self.result.tasks.names.index(task)
        true, predicted = result.true[:, place], result.predicted[:, place]
        wrong = np.flatnonzero((true != predicted) & (true != MISSING))
        shares = result.probabilities[:, result.tasks.columns[task]].max(axis=1)
        ordered: npt.NDArray[np.int64] = wrong[np.argsort(-shares[wrong], kind="stable")]
        return ordered

    def labels_of(self, image: int) -> dict[str, str]:
        """Returns the class of each task that an image has, "" where it is missing."""
        return self.result.tasks.names_of(self.result.labels[image])

    def predicted_for(self, image: int) -> dict[str, str]:
        """Returns the class of each task that is predicted for an image."""
        return self.result.tasks.names_of(self.result.probabilities[image])
