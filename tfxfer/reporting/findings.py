"""What is known of a finished run, from which its report is written."""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import DecidedFit
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Number
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.system.run_layout import RunDirectory


@dataclass(frozen=True)
class Findings:
    """A run and how it did on the split that judges it.

    Attributes:
        run: Where it lies.
        config: Its settings, all decided.
        metrics: What came out of it.
        epochs: What happened, of all phases.
        model: RGB in [0, 255] to probabilities.
        result: How the model did on the split that judges it.
        images: Of that split, in the order of the result.
        labels: Class indices of each split, (num_examples,).
        notes: What was noticed about the data as they were opened.
    """

    run: RunDirectory
    config: DecidedFit
    metrics: FitMetrics
    epochs: list[Epoch]
    model: keras.Model
    result: EvaluationResult
    images: Images
    labels: Mapping[str, npt.NDArray[np.int64]]
    notes: tuple[str, ...]

    @functools.cached_property
    def counts(self) -> dict[str, npt.NDArray[np.int64]]:
        """Images by split and by class, (num_classes,) each."""
        num_classes = len(self.result.class_names)
        return {
            split: np.bincount(labels, minlength=num_classes)
            for split, labels in self.labels.items()
        }

    @functools.cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each image, (num_examples,)."""
        predicted: npt.NDArray[np.int64] = self.result.probabilities.argmax(axis=1)
        return predicted

    @functools.cached_property
    def confidence(self) -> npt.NDArray[np.float32]:
        """The probability of that class, (num_examples,)."""
        confidence: npt.NDArray[np.float32] = self.result.probabilities.max(axis=1)
        return confidence

    @functools.cached_property
    def mistakes(self) -> npt.NDArray[np.int64]:
        """The images that were taken for another class, the most confident first."""
        wrong = np.flatnonzero(self.predicted != self.result.labels)
        ordered: npt.NDArray[np.int64] = wrong[np.argsort(-self.confidence[wrong], kind="stable")]
        return ordered

    @functools.cached_property
    def hits(self) -> npt.NDArray[np.int64]:
        """The images that were recognised, the least confident first."""
        right = np.flatnonzero(self.predicted == self.result.labels)
        ordered: npt.NDArray[np.int64] = right[np.argsort(self.confidence[right], kind="stable")]
        return ordered

    def describe(self, number: int) -> str:
        """Returns the id of an image of the result: a path, "cifar10 test #5"."""
        return self.images.describe(Number(number))

    def short_ids(self, numbers: npt.NDArray[np.int64]) -> list[str]:
        """Returns the ids of images, those of files without the folders that all are in."""
        ids = [self.describe(int(number)) for number in numbers]
        if len(ids) > 1 and all(map(os.path.isabs, ids)):
            ids = [os.path.relpath(one, os.path.commonpath(ids)) for one in ids]
        return ids

    def behind_cells(
        self, shown: npt.NDArray[np.int64], per_cell: int, in_all: int
    ) -> dict[tuple[int, int], list[int]]:
        """Returns which images are shown for each cell of the confusion matrix of some classes.

        Mistakes come with the most confident first, hits with the least confident. Where there are
        too many each cell gets its first before any gets its second, the fullest cells first.

        Args:
            shown: The classes, in the order of the rows and columns.
            per_cell: The most images of a cell.
            in_all: The most images of all cells.

        Returns:
            Images by cell, (row, column), in the order of the cells.
        """
        labels, predicted = self.result.labels, self.predicted
        place = np.full(len(self.result.class_names), -1)
        place[shown] = np.arange(len(shown))
        row, column = place[labels], place[predicted]
        numbers = np.flatnonzero((row >= 0) & (column >= 0))
        cell = row[numbers] * len(shown) + column[numbers]
        confidence = self.confidence[numbers]
        telling = np.where(row[numbers] == column[numbers], confidence, -confidence)
        order = np.lexsort((numbers, telling, cell))
        numbers, cell = numbers[order], cell[order]
        _, first, size = np.unique(cell, return_index=True, return_counts=True)
        rank = np.arange(len(cell)) - np.repeat(first, size)
        chosen = np.lexsort((-np.repeat(size, size), rank))
        chosen = np.sort(chosen[rank[chosen] < per_cell][:in_all])
        behind: dict[tuple[int, int], list[int]] = {}
        for index in chosen:
            key = divmod(int(cell[index]), len(shown))
            behind.setdefault(key, []).append(int(numbers[index]))
        return behind
