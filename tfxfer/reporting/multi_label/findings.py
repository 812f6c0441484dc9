"""Everything the report of a multi-label run is written from."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.targets import names_of
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.reporting.findings import RunFindings


@dataclass(frozen=True)
class MultiLabelFindings(RunFindings[MultiLabelResult]):
    """A run whose images may have several labels."""

    @functools.cached_property
    def certainty(self) -> npt.NDArray[np.float64]:
        """How far each probability is from the threshold, in [0, 1], (num_examples, num_labels).

        It is 0 at the threshold, and 1 where the probability is 0 or 1.
        """
        least = self.result.thresholds
        away = self.result.probabilities - least
        return np.asarray(np.where(away >= 0, away / (1 - least), -away / least))

    @functools.cached_property
    def mistakes(self) -> list[tuple[int, int]]:
        """The most confident wrong label of each image that has one, as (image, label).

        Most confident first.
        """
        wrong = ~self.result.is_right
        certainty = np.where(wrong, self.certainty, -1.0)
        labels = certainty.argmax(axis=1)
        most = certainty.max(axis=1)
        images = np.flatnonzero(wrong.any(axis=1))
        order = images[np.argsort(-most[images], kind="stable")]
        return [(int(image), int(labels[image])) for image in order]

    def labels_of(self, image: int) -> list[str]:
        """Returns the labels that an image has."""
        return names_of(self.result.labels[image], self.result.class_names)

    def predicted_for(self, image: int) -> list[str]:
        """Returns the labels that are predicted for an image."""
        return names_of(self.result.predicted[image].astype(np.float32), self.result.class_names)
