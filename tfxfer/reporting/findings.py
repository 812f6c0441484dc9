"""What is known of a finished run, from which its report is written."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.dataset import Images
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
    config: FitConfig
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
        return self.images.describe(number)
