"""The metrics of a classifier on a split: printed, as JSON, and with intervals."""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.source import shown
from tfxfer.evaluation import calibration, metrics
from tfxfer.evaluation.calibration import Calibration
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.intervals import (
    INTERVALS,
    bootstrap_intervals,
    intervals_as_json,
    wilson_interval,
)
from tfxfer.evaluation.metrics import ClassScores
from tfxfer.evaluation.ordinal.distances import mean_absolute_error, quadratic_kappa
from tfxfer.models.losses.cross_entropy import example_losses
from tfxfer.runs.scores.summary import Summary
from tfxfer.system.tables import padded, text_width

# k of the top-k accuracy, which is given if there are more than k classes.
TOP_K = 5

# Maximum number of rows printed: classes, and pairs of confused classes.
_SHOWN_CLASSES, _SHOWN_PAIRS = 20, 5

# With more classes the JSON lists the cells of the confusion matrix that are not zero. There are at
# most as many as images, while the matrix grows with the square of the classes.
MATRIX_CLASSES = 500


@dataclass(frozen=True)
class EvaluationResult:
    """The metrics of a classifier on a split.

    Attributes:
        data: Name of the dataset.
        split: "train", "validation", "test" or "all".
        class_names: In the order of the model's outputs.
        accuracy: Share of images that are predicted correctly, in [0, 1].
        balanced_accuracy: Mean recall of the classes, in [0, 1]; see `metrics.balanced_accuracy`.
        top_5_accuracy: Share of images whose label is among the five most probable classes, in
            [0, 1]; None if there are at most five classes.
        loss: Mean cross-entropy (log loss) in nats, without label smoothing.
        num_examples: Number of images.
        imbalanced: Whether classes are imbalanced; see `metrics.is_imbalanced`.
        pairs: The confusion matrix in sparse form.
        classes: Precision, recall, F1 and support of each class.
        calibration: Reliability diagram and expected calibration error.
        probabilities: Shape (num_examples, num_classes), in the order of the data.
        labels: True class indices, shape (num_examples,).
        notes: Remarks on the images, such as how many were left out or trained on.
        unit: What the examples are: "images" or "texts".
        is_ordered: Whether the classes have an order.
    """

    data: str
    split: str
    class_names: tuple[str, ...]
    accuracy: float
    balanced_accuracy: float
    top_5_accuracy: float | None
    loss: float
    num_examples: int
    imbalanced: bool
    pairs: Confusion
    classes: ClassScores
    calibration: Calibration
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    labels: npt.NDArray[np.int64] = field(repr=False)
    notes: tuple[str, ...] = ()
    unit: str = "images"
    is_ordered: bool = False

    @functools.cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """The confusion matrix: rows are true classes, columns predicted classes.

        Shape (num_classes, num_classes). With thousands of classes it takes much memory; `pairs`
        does not.
        """
        return self.pairs.dense()

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95% intervals of the metrics as (low, high).

        The accuracy has a `wilson_interval`, the others have `bootstrap_intervals`.

        Keys are the names of the attributes, and "macro_f1" and "calibration_error".
        """
        return _intervals(self.probabilities, self.labels, is_ordered=self.is_ordered)

    @property
    def mean_absolute_error(self) -> float:
        """Mean distance between the predicted class and the label, in classes."""
        return mean_absolute_error(self.labels, self.probabilities.argmax(axis=1))

    @property
    def quadratic_kappa(self) -> float:
        """Cohen's kappa with quadratic weights, at most 1; see `distances.quadratic_kappa`."""
        return quadratic_kappa(self.labels, self.probabilities.argmax(axis=1))

    def summary(self) -> Summary:
        """Returns the metrics as the facts on an export hold them."""
        return Summary(self.accuracy, self.balanced_accuracy, self.loss, self.num_examples)

    def as_json(self) -> dict[str, Any]:
        """Returns everything except the probabilities, ready for JSON.

        With up to 500 classes "confusion" is the matrix. With more, "confusion_pairs" lists the
        cells that are not zero: true class, predicted class, and number of images.
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
            **self._distances_as_json(),
            "macro": self.classes.macro(),
            "uneven_classes": self.imbalanced,
            "intervals": intervals_as_json(self.intervals),
            "calibration": self._calibration_as_json(),
            "classes": self._classes_as_json(),
            **self._confusion_as_json(),
        }

    def _distances_as_json(self) -> dict[str, float]:
        if not self.is_ordered:
            return {}
        return {
            "mean_absolute_error": self.mean_absolute_error,
            "quadratic_kappa": self.quadratic_kappa,
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
        columns = (self.pairs.y_true, self.pairs.y_pred, self.pairs.counts)
        return {"confusion_pairs": np.stack(columns, axis=1).tolist()}

    def describe(self) -> str:
        """Returns the metrics as text: a summary, a table of classes, the largest confusions."""
        return "\n".join(
            [
                f"{self.data} {self.split}, {self.num_examples:,} {self.unit}",
                *(f"  note: {note}" for note in self.notes),
                *self._describe_numbers(),
                "",
                *self._describe_classes(),
                *self._describe_confusion(),
            ]
        )

    def rows(self) -> list[tuple[str, float, tuple[float, float]]]:
        """Returns the metrics to show, each as (name, value, 95% interval)."""
        rows: list[tuple[str, float, str]] = [("accuracy", self.accuracy, "accuracy")]
        if self.imbalanced:
            rows.append(("balanced accuracy", self.balanced_accuracy, "balanced_accuracy"))
        if self.top_5_accuracy is not None:
            rows.append(("top-5 accuracy", self.top_5_accuracy, "top_5_accuracy"))
        if self.is_ordered:
            rows.append(("mean absolute error", self.mean_absolute_error, "mean_absolute_error"))
            rows.append(("quadratic kappa", self.quadratic_kappa, "quadratic_kappa"))
        rows += [
            ("macro F1", self.classes.macro()["f1"], "macro_f1"),
            ("log loss", self.loss, "loss"),
            ("calibration error", self.calibration.error, "calibration_error"),
        ]
        return [(name, value, self.intervals[key]) for name, value, key in rows]

    def _describe_numbers(self) -> list[str]:
        width = 21 if self.is_ordered else 18
        lines = [
            f"  {name:{width}s}{value:.4f}  ({low:.4f} to {high:.4f})"
            for name, value, (low, high) in self.rows()
        ]
        return [*lines, f"  in brackets: 95% interval ({INTERVALS})"]

    def _describe_classes(self) -> list[str]:
        """Returns a table of the classes; if there are many, of those with the lowest F1."""
        scores = self.classes
        order = np.arange(len(self.class_names))
        title = "class"
        if len(order) > _SHOWN_CLASSES:
            occurring = order[scores.support > 0]
            order = occurring[np.argsort(scores.f1[occurring], kind="stable")][:_SHOWN_CLASSES]
            title = f"class ({len(order)} with the lowest F1)"
        width = max(len(title), *(text_width(shown(self.class_names[index])) for index in order))
        lines = [f"  {title:{width}s}  precision  recall      F1  {self.unit:>6s}"]
        for index in order:
            name = padded(shown(self.class_names[index]), width)
            lines.append(
                f"  {name}  {scores.precision[index]:9.4f}  "
                f"{scores.recall[index]:6.4f}  {scores.f1[index]:6.4f}  "
                f"{scores.support[index]:6,d}"
            )
        return lines

    def _describe_confusion(self) -> list[str]:
        """Returns a line for each of the most frequent confusions."""
        lines = [
            f"  {count:6,d}  {shown(self.class_names[label])} predicted as "
            f"{shown(self.class_names[predicted])}"
            for label, predicted, count in self.pairs.most_confused(_SHOWN_PAIRS)
        ]
        return ["", f"  {self.unit:>6s}  most frequent mistakes", *lines] if lines else []


def _intervals(
    probabilities: npt.NDArray[np.float32], y_true: npt.NDArray[np.int64], *, is_ordered: bool
) -> dict[str, tuple[float, float]]:
    """Returns the intervals of all metrics; those of the bootstrap are of the same samples.

    They do not depend on the order of the images, which a fit and a later evaluation may differ in.
    """
    num_classes = probabilities.shape[1]
    losses = example_losses(probabilities, y_true)
    order = np.lexsort((losses, probabilities.argmax(axis=1), y_true))
    probabilities, y_true, losses = probabilities[order], y_true[order], losses[order]
    y_pred, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    is_correct = y_pred == y_true
    in_top = metrics.in_top_k(probabilities, y_true, TOP_K)

    def statistics(drawn: npt.NDArray[np.int64]) -> dict[str, float]:
        of_drawn = y_true[drawn]
        scores = ClassScores.from_counts(
            np.bincount(of_drawn[is_correct[drawn]], minlength=num_classes),
            np.bincount(y_pred[drawn], minlength=num_classes),
            np.bincount(of_drawn, minlength=num_classes),
        )
        distances = {}
        if is_ordered:
            distances = {
                "mean_absolute_error": mean_absolute_error(of_drawn, y_pred[drawn]),
                "quadratic_kappa": quadratic_kappa(of_drawn, y_pred[drawn]),
            }
        return {
            **distances,
            "balanced_accuracy": float(scores.recall[scores.support > 0].mean()),
            "top_5_accuracy": float(in_top[drawn].mean()),
            "macro_f1": scores.macro()["f1"],
            "loss": float(losses[drawn].mean()),
            "calibration_error": calibration.calibration_error(
                confidence[drawn], is_correct[drawn]
            ),
        }

    found = bootstrap_intervals(statistics, len(y_true))
    if num_classes <= TOP_K:
        del found["top_5_accuracy"]
    accuracy = wilson_interval(float(is_correct.mean()), len(y_true))
    return {"accuracy": accuracy, **found}
