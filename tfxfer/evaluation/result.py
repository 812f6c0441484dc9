"""Evaluate a run, a model or a SavedModel on a split, every example once."""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.source import shown
from tfxfer.evaluation import calibration, metrics
from tfxfer.evaluation.calibration import Calibration
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.metrics import BOOTSTRAP_SAMPLES, ClassScores
from tfxfer.system.tables import padded, text_width

# The wider accuracy that is told where there are more classes than that.
TOP = 5

# As many classes are printed one by one, and as many pairs of classes that are confused.
_SHOWN_CLASSES, _SHOWN_PAIRS = 20, 5

# Of more classes than these the JSON has no matrix, which grows with their square, but the cells
# that are not empty: there are at most as many as images.
MATRIX_CLASSES = 500


@dataclass(frozen=True)
class EvaluationResult:
    """How a classifier did.

    Attributes:
        data: The data set's name.
        split: "train", "validation", "test" or "all".
        class_names: Of the model, in the order of its outputs.
        accuracy: Share of examples whose most probable class is the label, in [0, 1].
        balanced_accuracy: Mean recall of the classes; see `metrics.balanced_accuracy`.
        top_5_accuracy: Share whose label is among the five most probable; None where there are no
            more than five classes.
        loss: Mean cross-entropy in nats, without label smoothing.
        num_examples: How many images were looked at.
        uneven_classes: Whether their number differs much from class to class.
        pairs: Images by class and by what they were taken for.
        classes: Precision, recall, F1 and support of each class.
        calibration: How far confidence can be believed.
        probabilities: (num_examples, num_classes), in the order of the data.
        labels: Class indices, (num_examples,).
        notes: What must be known of the images: which were left out, or were trained on.
    """

    data: str
    split: str
    class_names: tuple[str, ...]
    accuracy: float
    balanced_accuracy: float
    top_5_accuracy: float | None
    loss: float
    num_examples: int
    uneven_classes: bool
    pairs: Confusion
    classes: ClassScores
    calibration: Calibration
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    labels: npt.NDArray[np.int64] = field(repr=False)
    notes: tuple[str, ...] = ()

    @functools.cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Images by class (rows) and by what they were taken for (columns).

        Of thousands of classes it takes much memory; `pairs` does not.
        """
        return self.pairs.dense()

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Where 95% of each number lie over resampled images; see `metrics.bootstrap_intervals`.

        By the names of the numbers above, and "macro_f1" and "calibration_error".
        """
        return _intervals(self.probabilities, self.labels)

    def as_json(self) -> dict[str, Any]:
        """Returns all but the probabilities as JSON can write it.

        Of up to 500 classes "confusion" is the matrix; of more, "confusion_pairs" has its cells
        that are not 0: class, what it was taken for, and how many images.
        """
        return {
            "data": self.data,
            "split": self.split,
            "num_examples": self.num_examples,
            "notes": list(self.notes),
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "top_5_accuracy": self.top_5_accuracy,
            "loss": self.loss,
            "macro": self.classes.macro(),
            "uneven_classes": self.uneven_classes,
            "intervals": {
                "level": 0.95,
                "samples": BOOTSTRAP_SAMPLES,
                **{name: list(ends) for name, ends in self.intervals.items()},
            },
            "calibration": self._calibration_as_json(),
            "classes": self._classes_as_json(),
            **self._confusion_as_json(),
        }

    def _calibration_as_json(self) -> dict[str, Any]:
        found = self.calibration
        bins = zip(found.confidence, found.accuracy, found.count, strict=True)
        return {
            "error": found.error,
            "bins": [
                {"confidence": float(confidence), "accuracy": float(share), "count": int(count)}
                for confidence, share, count in bins
            ],
        }

    def _classes_as_json(self) -> list[dict[str, Any]]:
        scores = self.classes
        return [
            {
                "name": name,
                "precision": float(scores.precision[index]),
                "recall": float(scores.recall[index]),
                "f1": float(scores.f1[index]),
                "support": int(scores.support[index]),
            }
            for index, name in enumerate(self.class_names)
        ]

    def _confusion_as_json(self) -> dict[str, Any]:
        if self.pairs.num_classes <= MATRIX_CLASSES:
            return {"confusion": self.confusion.tolist()}
        columns = (self.pairs.labels, self.pairs.predicted, self.pairs.counts)
        return {"confusion_pairs": np.stack(columns, axis=1).tolist()}

    def describe(self) -> str:
        """Returns the numbers as a person reads them."""
        return "\n".join(
            [
                f"{self.data} {self.split}, {self.num_examples:,} images",
                *(f"  note: {note}" for note in self.notes),
                *self._describe_numbers(),
                "",
                *self._describe_classes(),
                *self._describe_confusion(),
            ]
        )

    def rows(self) -> list[tuple[str, float, tuple[float, float]]]:
        """Returns the numbers that a person reads: the name, the value, and its interval."""
        rows: list[tuple[str, float, str]] = [("accuracy", self.accuracy, "accuracy")]
        if self.uneven_classes:
            rows.append(("balanced accuracy", self.balanced_accuracy, "balanced_accuracy"))
        if self.top_5_accuracy is not None:
            rows.append(("top-5 accuracy", self.top_5_accuracy, "top_5_accuracy"))
        rows += [
            ("macro F1", self.classes.macro()["f1"], "macro_f1"),
            ("log loss", self.loss, "loss"),
            ("calibration error", self.calibration.error, "calibration_error"),
        ]
        return [(name, value, self.intervals[key]) for name, value, key in rows]

    def _describe_numbers(self) -> list[str]:
        lines = [
            f"  {name:18s}{value:.4f}  ({low:.4f} to {high:.4f})"
            for name, value, (low, high) in self.rows()
        ]
        return [*lines, f"  in brackets: 95% of {BOOTSTRAP_SAMPLES:,} bootstrap samples"]

    def _describe_classes(self) -> list[str]:
        """Returns a table of the classes; where there are many, of those that are told worst."""
        scores = self.classes
        order = np.arange(len(self.class_names))
        title = "class"
        if len(order) > _SHOWN_CLASSES:
            occurring = order[scores.support > 0]
            order = occurring[np.argsort(scores.f1[occurring], kind="stable")][:_SHOWN_CLASSES]
            title = f"class ({len(order)} of the lowest F1)"
        width = max(len(title), *(text_width(shown(self.class_names[index])) for index in order))
        lines = [f"  {title:{width}s}  precision  recall      F1  images"]
        for index in order:
            name = padded(shown(self.class_names[index]), width)
            lines.append(
                f"  {name}  {scores.precision[index]:9.4f}  "
                f"{scores.recall[index]:6.4f}  {scores.f1[index]:6.4f}  "
                f"{scores.support[index]:6,d}"
            )
        return lines

    def _describe_confusion(self) -> list[str]:
        """Returns the pairs of classes that were confused most."""
        lines = [
            f"  {count:,} of {shown(self.class_names[label])} taken for "
            f"{shown(self.class_names[taken])}"
            for label, taken, count in self.pairs.most_confused(_SHOWN_PAIRS)
        ]
        return ["", *lines] if lines else []


def _intervals(
    probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> dict[str, tuple[float, float]]:
    """Returns the bootstrap intervals of all numbers, all of them of the same samples."""
    num_classes = probabilities.shape[1]
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right, losses = predicted == labels, metrics.example_losses(probabilities, labels)
    in_top = metrics.is_in_top_k(probabilities, labels, TOP)

    def numbers(chosen: npt.NDArray[np.int64]) -> dict[str, float]:
        of_chosen = labels[chosen]
        scores = ClassScores.of_counts(
            np.bincount(of_chosen[right[chosen]], minlength=num_classes),
            np.bincount(predicted[chosen], minlength=num_classes),
            np.bincount(of_chosen, minlength=num_classes),
        )
        return {
            "accuracy": float(right[chosen].mean()),
            "balanced_accuracy": float(scores.recall[scores.support > 0].mean()),
            "top_5_accuracy": float(in_top[chosen].mean()),
            "macro_f1": scores.macro()["f1"],
            "loss": float(losses[chosen].mean()),
            "calibration_error": calibration.calibration_error(confidence[chosen], right[chosen]),
        }

    found = metrics.bootstrap_intervals(numbers, len(labels))
    if num_classes <= TOP:
        del found["top_5_accuracy"]
    return found
