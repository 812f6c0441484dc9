"""The metrics of a multi-label classifier on a split: printed, as JSON, with intervals."""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.targets import numbered
from tfxfer.data.source import shown
from tfxfer.evaluation import calibration
from tfxfer.evaluation.calibration import Calibration
from tfxfer.evaluation.intervals import IN_BRACKETS, bootstrap_intervals, intervals_as_json
from tfxfer.evaluation.metrics import ClassScores
from tfxfer.evaluation.multi_label.precision_recall import Ranking, mean_average_precision
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.runs.scores.summary import Summary
from tfxfer.system.tables import padded, text_width

# Maximum number of labels printed.
_SHOWN_LABELS = 40

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class MultiLabelResult:
    """The metrics of a multi-label classifier on a split.

    A label is predicted where its probability is at least its threshold. Where it is unknown
    whether an image has a label, that label of that image counts in no metric.

    Attributes:
        data: Name of the dataset.
        split: "train", "validation", "test" or "all".
        class_names: The labels, in the order of the model's outputs.
        thresholds: Of each label, (num_labels,).
        probabilities: Shape (num_examples, num_labels), in the order of the data.
        labels: 0, 1, or NaN where unknown, in the same shape.
        notes: Remarks on the images, such as how many were left out or trained on.
    """

    data: str
    split: str
    class_names: tuple[str, ...]
    thresholds: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    labels: npt.NDArray[np.float32] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def num_examples(self) -> int:
        """Number of images."""
        return len(self.labels)

    @functools.cached_property
    def average_precision(self) -> npt.NDArray[np.float64]:
        """Average precision of each label, (num_labels,); NaN for a label that no image has."""
        return Ranking(self.probabilities, self.labels).average_precision()

    @property
    def mean_average_precision(self) -> float:
        """Mean over the labels that at least one image has, in [0, 1]; NaN if there is none."""
        return mean_average_precision(self.average_precision)

    @functools.cached_property
    def is_known(self) -> Mask:
        """Which labels of which images are known, (num_examples, num_labels)."""
        return np.asarray(~np.isnan(self.labels))

    @functools.cached_property
    def predicted(self) -> Mask:
        """Which labels are predicted for which images, (num_examples, num_labels)."""
        return np.asarray(self.probabilities >= self.thresholds)

    @functools.cached_property
    def is_right(self) -> Mask:
        """Which predictions are right, (num_examples, num_labels); those of unknown labels too."""
        return np.asarray((self.predicted == (self.labels == 1)) | ~self.is_known)

    @functools.cached_property
    def classes(self) -> ClassScores:
        """Precision, recall, F1 and support of each label."""
        return _scores(self.predicted & self.is_known, self.labels == 1, np.ones(len(self.labels)))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels that occur or are predicted, in [0, 1]."""
        return self.classes.macro()["f1"]

    @property
    def micro_f1(self) -> float:
        """F1 of all labels of all images together, in [0, 1]."""
        return _micro_f1(self.classes)

    @property
    def exact_match(self) -> float:
        """Share of images all of whose labels are right, in [0, 1]."""
        return float(self.is_right.all(axis=1).mean())

    @property
    def accuracy(self) -> float:
        """Share of the labels that are right, in [0, 1]: 1 minus the Hamming loss."""
        return float(self.is_right[self.is_known].mean())

    @property
    def loss(self) -> float:
        """Mean binary cross-entropy of a label in nats, without label smoothing."""
        return float(self._example_losses.mean())

    @functools.cached_property
    def _example_losses(self) -> npt.NDArray[np.float64]:
        losses = SIGMOIDS.probability_losses(self.probabilities, self.labels)
        return np.asarray(losses.mean(axis=1))

    @functools.cached_property
    def calibration(self) -> Calibration:
        """Reliability diagram and expected calibration error of the labels together."""
        return calibration.calibration(self.probabilities, self.labels, objective=SIGMOIDS)

    @functools.cached_property
    def co_occurrence(self) -> npt.NDArray[np.int64]:
        """How many images have both of two labels, (num_labels, num_labels)."""
        has = (self.labels == 1).astype(np.float64)
        return np.asarray((has.T @ has).round(), np.int64)

    @functools.cached_property
    def predicted_together(self) -> npt.NDArray[np.int64]:
        """For how many images both of two labels are predicted, (num_labels, num_labels)."""
        has = self.predicted.astype(np.float64)
        return np.asarray((has.T @ has).round(), np.int64)

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95% intervals of the metrics as (low, high); see `intervals.bootstrap_intervals`."""
        return _intervals(self)

    def summary(self) -> Summary:
        """Returns the metrics as `metrics.json` holds them."""
        names = zip(self.class_names, self.average_precision.tolist(), strict=True)
        return Summary(
            accuracy=self.accuracy,
            loss=self.loss,
            num_examples=self.num_examples,
            mean_average_precision=_or_none(self.mean_average_precision),
            macro_f1=self.macro_f1,
            micro_f1=self.micro_f1,
            exact_match=self.exact_match,
            average_precision={name: _or_none(value) for name, value in names},
        )

    def rows(self) -> list[tuple[str, float, tuple[float, float]]]:
        """Returns the metrics to show, each as (name, value, 95% interval)."""
        rows = [
            ("mean average precision", self.mean_average_precision, "mean_average_precision"),
            ("macro F1", self.macro_f1, "macro_f1"),
            ("micro F1", self.micro_f1, "micro_f1"),
            ("exact match", self.exact_match, "exact_match"),
            ("label accuracy", self.accuracy, "accuracy"),
            ("log loss", self.loss, "loss"),
            ("calibration error", self.calibration.error, "calibration_error"),
        ]
        return [(name, value, self.intervals[key]) for name, value, key in rows]

    def as_json(self) -> dict[str, Any]:
        """Returns everything except the probabilities, ready for JSON."""
        bins, told = self.calibration, self.summary()
        return {
            "data": self.data,
            "split": self.split,
            "num_examples": self.num_examples,
            "notes": list(self.notes),
            "mean_average_precision": told.mean_average_precision,
            "macro_f1": self.macro_f1,
            "micro_f1": self.micro_f1,
            "exact_match": self.exact_match,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "intervals": intervals_as_json(self.intervals),
            "calibration": {
                "error": bins.error,
                "bins": [
                    {"confidence": float(one), "accuracy": float(share), "count": int(count)}
                    for one, share, count in zip(
                        bins.confidence, bins.accuracy, bins.count, strict=True
                    )
                ],
            },
            "labels": self._labels_as_json(),
            "co_occurrence": self.co_occurrence.tolist(),
        }

    def _labels_as_json(self) -> list[dict[str, Any]]:
        scores = self.classes
        return [
            {
                "name": name,
                "average_precision": _or_none(float(self.average_precision[index])),
                "threshold": float(self.thresholds[index]),
                "precision": float(scores.precision[index]),
                "recall": float(scores.recall[index]),
                "f1": float(scores.f1[index]),
                "support": int(scores.support[index]),
                "unknown": int(np.count_nonzero(~self.is_known[:, index])),
            }
            for index, name in enumerate(self.class_names)
        ]

    def describe(self) -> str:
        """Returns the metrics as text: a summary, and a table of the labels."""
        lines = [f"{self.data} {self.split}, {self.num_examples:,} images"]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [
            f"  {name:24s}{value:.4f}  ({low:.4f} to {high:.4f})"
            for name, value, (low, high) in self.rows()
        ]
        lines.append(IN_BRACKETS)
        return "\n".join([*lines, "", *self._describe_labels()])

    def _describe_labels(self) -> list[str]:
        """Returns a table of the labels; if there are many, of those of the lowest precision."""
        scores, order = self.classes, np.arange(len(self.class_names))
        title = "label"
        if len(order) > _SHOWN_LABELS:
            order = np.argsort(self.average_precision, kind="stable")[:_SHOWN_LABELS]
            title = f"label ({len(order)} with the lowest average precision)"
        width = max(len(title), *(text_width(shown(self.class_names[i])) for i in order))
        lines = [
            f"  {title:{width}s}  avg. precision  threshold  precision  recall      F1  images"
        ]
        for index in order:
            name = padded(shown(self.class_names[index]), width)
            lines.append(
                f"  {name}  {self.average_precision[index]:14.4f}  "
                f"{self.thresholds[index]:9.4f}  {scores.precision[index]:9.4f}  "
                f"{scores.recall[index]:6.4f}  {scores.f1[index]:6.4f}  "
                f"{scores.support[index]:6,d}"
            )
        return lines


def _scores(predicted: Mask, has: Mask, counts: npt.NDArray[Any]) -> ClassScores:
    """Returns the scores of each label, where each example counts so often, (num_examples,)."""
    sums = [(counts @ mask).round().astype(np.int64) for mask in (predicted & has, predicted, has)]
    return ClassScores.from_counts(*sums)


def _micro_f1(scores: ClassScores) -> float:
    right = (scores.recall * scores.support).sum()
    total = (scores.num_predicted + scores.support).sum()
    return float(2 * right / total) if total else 0.0


def _or_none(value: float) -> float | None:
    """Returns a number, or None for NaN, which JSON does not have."""
    return None if np.isnan(value) else value


def _intervals(result: MultiLabelResult) -> dict[str, tuple[float, float]]:
    """Returns the bootstrap intervals of all metrics, computed on the same samples.

    They do not depend on the order of the images.
    """
    order = np.lexsort((result._example_losses, numbered(result.labels)))
    losses = result._example_losses[order]
    probabilities, labels = result.probabilities[order], result.labels[order]
    known, has = result.is_known[order], labels == 1
    predicted, right = result.predicted[order] & known, result.is_right[order]
    ranking = Ranking(probabilities, labels)
    exact, right_of_known = right.all(axis=1), (right & known).sum(axis=1)
    num_known = known.sum(axis=1)

    def statistics(drawn: npt.NDArray[np.int64]) -> dict[str, float]:
        counts = np.bincount(drawn, minlength=len(losses)).astype(np.float64)
        scores = _scores(predicted, has, counts)
        of_drawn = known[drawn]
        return {
            "mean_average_precision": mean_average_precision(ranking.average_precision(counts)),
            "macro_f1": scores.macro()["f1"],
            "micro_f1": _micro_f1(scores),
            "exact_match": float(counts @ exact / len(losses)),
            "accuracy": float(counts @ right_of_known / max(1.0, counts @ num_known)),
            "loss": float(losses[drawn].mean()),
            "calibration_error": calibration.calibration_error(
                probabilities[drawn][of_drawn].astype(np.float64), has[drawn][of_drawn]
            ),
        }

    return bootstrap_intervals(statistics, len(losses))
