"""The scores of a model on a split."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class TaskSummary:
    """Scores of a model on a split in one of its tasks, on the examples whose label is known.

    Attributes:
        accuracy: Share of examples whose most probable class is the label, in [0, 1].
        balanced_accuracy: Mean recall of the classes that occur, in [0, 1].
        macro_f1: Mean F1 of the classes that occur or are predicted, in [0, 1].
        loss: Mean cross-entropy in nats, without label smoothing.
        num_examples: Number of examples.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    loss: float
    num_examples: int


# What stands for a split where the model was trained on all of them: its training and validation
# images, each predicted by another model, which was not trained on it.
OUT_OF_FOLD = "out-of-fold"

# What the accuracy is called in a file where images have numbers.
SCORE = "score"

# The keys of `metrics.json` that hold a `Summary`; no other key has these names.
SPLITS = ("train", "validation", "test", "all", OUT_OF_FOLD)


@dataclass(frozen=True)
class Summary:
    """Scores of a model on a split. Values missing in a file are None.

    Attributes:
        accuracy: Share of examples whose most probable class is the label, in [0, 1].
        balanced_accuracy: Mean recall of the classes that occur, in [0, 1].
        loss: Mean cross-entropy in nats, without label smoothing.
        num_examples: Number of examples.
        uneven_classes: Whether the classes are imbalanced.
        mean_average_precision: For multi-label data: mean over those that at least one example has.
        macro_f1: For multi-label data: mean F1.
        micro_f1: For multi-label data: F1 of all of them together.
        exact_match: For multi-label data: share of examples all of whose labels are right.
        average_precision: For multi-label data: average precision by label, None where no example
            has it.
        tasks: Of several tasks: the scores of each.
        mean_absolute_error: Of ordered classes: mean distance of prediction and label, in classes.
            Of a number: in its unit, as the other errors.
        quadratic_kappa: Of ordered classes: Cohen's kappa with quadratic weights.
        root_mean_squared_error: Of a number: square root of the mean squared error.
        median_absolute_error: Of a number: median absolute error.
        r2: Of a number: coefficient of determination.
        baseline_error: Of a number: mean absolute error of always predicting the training median.

    Of a number, the accuracy, in a file `SCORE`, is the share of the training median's mean
    absolute error that is avoided, at most 1, and the loss is the mean Huber loss of the
    standardized number.

    Of several tasks, the accuracy is the mean of theirs, the loss is the mean over all labels that
    are known, and the exact match is the share of examples all of whose known labels are right.

    For multi-label data, the accuracy is the share of labels that are right, and the
    loss is the mean binary cross-entropy of a label. F1, exact match and accuracy are those at the
    thresholds of the labels.
    """

    accuracy: float
    balanced_accuracy: float | None = None
    loss: float | None = None
    num_examples: int | None = None
    uneven_classes: bool | None = None
    mean_average_precision: float | None = None
    macro_f1: float | None = None
    micro_f1: float | None = None
    exact_match: float | None = None
    average_precision: Mapping[str, float | None] | None = None
    tasks: Mapping[str, TaskSummary] | None = None
    mean_absolute_error: float | None = None
    quadratic_kappa: float | None = None
    root_mean_squared_error: float | None = None
    median_absolute_error: float | None = None
    r2: float | None = None
    baseline_error: float | None = None

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the scores that a file holds; unknown keys were written by a later version.

        Those of a number once had an accuracy in place of the score.
        """
        if SCORE in content:
            content = {"accuracy": content[SCORE], **content}
        names = {one.name for one in dataclasses.fields(cls)}
        known = {name: value for name, value in content.items() if name in names}
        if known.get("tasks") is not None:
            known["tasks"] = {name: TaskSummary(**one) for name, one in known["tasks"].items()}
        return cls(**known)

    def as_json(self) -> dict[str, Any]:
        """Returns the scores as a file holds them, without those that are None.

        Examples:
            >>> Summary(0.9, loss=0.3).as_json()
            {'accuracy': 0.9, 'loss': 0.3}
            >>> Summary(0.6, mean_absolute_error=2.0, baseline_error=5.0).as_json()
            {'score': 0.6, 'mean_absolute_error': 2.0, 'baseline_error': 5.0}
        """
        content = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        if self.tasks is not None:
            content["tasks"] = {name: vars(one) for name, one in self.tasks.items()}
        is_number = self.baseline_error is not None
        return {
            SCORE if key == "accuracy" and is_number else key: value
            for key, value in content.items()
            if value is not None
        }
