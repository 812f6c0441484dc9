"""What the plan says of an objective and of class weights."""

import numpy as np

from tfxfer.config.schema import ClassWeights
from tfxfer.data.source import Source
from tfxfer.data.weighting import class_weights_of
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.planning.wording import plan_row


def describe_objective(objective: Objective) -> list[str]:
    """Returns the lines on what a multi-label head is trained for, and how it is judged.

    There is no line for one class per image.
    """
    if objective is SOFTMAX:
        return []
    return [
        plan_row("objective", "a sigmoid for each label, binary cross-entropy"),
        plan_row(
            "", "best epoch: lowest validation loss; accuracy: correct labels at threshold 0.5"
        ),
        plan_row("", "then on validation: one temperature, a threshold for each label (best F1)"),
    ]


def describe_class_weights(source: Source, class_weights: ClassWeights) -> list[str]:
    """Returns the lines on balanced class weights, or no line if classes are not weighted."""
    if class_weights == "none":
        return []
    labels, names = source.splits["train"].labels, source.class_names
    weights = class_weights_of(labels)
    if source.has_several_labels:
        of_labels = np.where(labels == 1, weights, 0).max(axis=0)
        ends = [(of_labels.argmin(), of_labels.min()), (of_labels.argmax(), of_labels.max())]
        told = " to ".join(f"{weight:.3g} ({names[place]})" for place, weight in ends)
        return [
            plan_row("class weights", f"balanced for each label; positive images weigh {told}"),
            plan_row("", "validation during training is weighted in the same way"),
        ]
    least, most = weights.argmin(), weights.argmax()
    ends_of_classes = [f"{weights[i]:.3g} ({names[labels[i]]})" for i in (least, most)]
    text = f"from {' to '.join(ends_of_classes)}"
    if weights[least] == weights[most]:
        text = "all 1, as the classes have the same number of training images"
    return [
        plan_row("class weights", f"balanced, {text}"),
        plan_row("", "validation during training also weights classes equally"),
    ]
