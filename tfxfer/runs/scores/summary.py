"""The scores of a model on a split."""

from collections.abc import Mapping
from dataclasses import dataclass

# The keys of `metrics.json` that hold a `Summary`; no other key has these names.
SPLITS = ("train", "validation", "test", "all")


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
