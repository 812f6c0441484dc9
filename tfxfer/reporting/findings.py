"""Everything the report of a finished run is written from."""

import dataclasses
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import DecidedFit
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Number
from tfxfer.data.labels.targets import images_of_each
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.evaluation.numbers.result import NumberResult
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.evaluation.tasks.result import TasksResult
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.system.run_layout import RunDirectory

Result = TypeVar("Result", EvaluationResult, MultiLabelResult, TasksResult, NumberResult)


@dataclass(frozen=True)
class RunFindings(Generic[Result]):
    """A run with its metrics and predictions on the split that evaluates it.

    Attributes:
        run: Directory of the run.
        config: Settings, all decided.
        metrics: Content of `metrics.json`.
        epochs: Epochs of all phases.
        model: RGB in [0, 255] to probabilities.
        result: Metrics on test, or on validation if there is no test.
        images: Images of that split, in the order of the result.
        labels: Labels by split, of either kind.
        notes: Remarks on the data from when they were opened.
        drawn: Parts of the page that were drawn beforehand, by name: see `writing.draw`.
    """

    run: RunDirectory
    config: DecidedFit
    metrics: FitMetrics
    epochs: list[Epoch]
    model: keras.Model
    result: Result
    images: Images
    labels: Mapping[str, npt.NDArray[Any]]
    notes: tuple[str, ...]
    drawn: dict[str, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def counts(self) -> dict[str, npt.NDArray[np.int64]]:
        """Number of images of each class, or with each label, by split, (num_classes,) each."""
        num_classes = len(self.result.class_names)
        return {split: images_of_each(labels, num_classes) for split, labels in self.labels.items()}

    @property
    def metric_name(self) -> str:
        """What the metric of an epoch is called."""
        return "accuracy"

    @property
    def shown_epochs(self) -> list[Epoch]:
        """The epochs, with the metric as it is shown."""
        return self.epochs

    @property
    def num_images(self) -> dict[str, int]:
        """Number of images by split."""
        return {split: len(labels) for split, labels in self.labels.items()}

    def describe(self, number: int) -> str:
        """Returns the id of an image of the result: a path, or as in "cifar10 test #5"."""
        return self.images.describe(Number(number))

    def short_ids(self, numbers: npt.NDArray[np.int64]) -> list[str]:
        """Returns the ids of images; paths are relative to their common folder."""
        ids = [self.describe(int(number)) for number in numbers]
        if len(ids) > 1 and all(map(os.path.isabs, ids)):
            ids = [os.path.relpath(one, os.path.commonpath(ids)) for one in ids]
        return ids


@dataclass(frozen=True)
class Findings(RunFindings[EvaluationResult]):
    """A run whose images have one class each."""

    @functools.cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The predicted (most probable) class of each image, shape (num_examples,)."""
        predicted: npt.NDArray[np.int64] = self.result.probabilities.argmax(axis=1)
        return predicted

    @functools.cached_property
    def confidence(self) -> npt.NDArray[np.float32]:
        """The probability of the predicted class, in [0, 1], shape (num_examples,)."""
        confidence: npt.NDArray[np.float32] = self.result.probabilities.max(axis=1)
        return confidence

    @functools.cached_property
    def mistakes(self) -> npt.NDArray[np.int64]:
        """Indices of wrong predictions, most confident first."""
        wrong = np.flatnonzero(self.predicted != self.result.labels)
        ordered: npt.NDArray[np.int64] = wrong[np.argsort(-self.confidence[wrong], kind="stable")]
        return ordered

    @functools.cached_property
    def correct(self) -> npt.NDArray[np.int64]:
        """Indices of correct predictions, least confident first."""
        correct = np.flatnonzero(self.predicted == self.result.labels)
        ordered: npt.NDArray[np.int64] = correct[
            np.argsort(self.confidence[correct], kind="stable")
        ]
        return ordered

    def images_of_cells(
        self, shown: npt.NDArray[np.int64], per_cell: int, total: int
    ) -> dict[tuple[int, int], list[int]]:
        """Selects the images to show for each cell of the confusion matrix of some classes.

        Wrong predictions are sorted by descending confidence, correct ones by ascending confidence.
        If there are more than `total`, each cell gets its first image before any gets its second,
        large cells first.

        Args:
            shown: Class indices, in the order of the rows and columns.
            per_cell: Maximum number of images of a cell.
            total: Maximum number of images of all cells.

        Returns:
            Indices of images by cell, (row, column), in the order of the cells.
        """
        labels, predicted = self.result.labels, self.predicted
        place = np.full(len(self.result.class_names), -1)
        place[shown] = np.arange(len(shown))
        row, column = place[labels], place[predicted]
        numbers = np.flatnonzero((row >= 0) & (column >= 0))
        cell = row[numbers] * len(shown) + column[numbers]
        confidence = self.confidence[numbers]
        rank_by = np.where(row[numbers] == column[numbers], confidence, -confidence)
        order = np.lexsort((numbers, rank_by, cell))
        numbers, cell = numbers[order], cell[order]
        _, first, size = np.unique(cell, return_index=True, return_counts=True)
        rank = np.arange(len(cell)) - np.repeat(first, size)
        chosen = np.lexsort((-np.repeat(size, size), rank))
        chosen = np.sort(chosen[rank[chosen] < per_cell][:total])
        selected: dict[tuple[int, int], list[int]] = {}
        for index in chosen:
            key = divmod(int(cell[index]), len(shown))
            selected.setdefault(key, []).append(int(numbers[index]))
        return selected
