"""What the plan says of an objective and of class weights."""

import numpy as np

from tfxfer.config.schema import EQUAL, UNCERTAINTY, ClassWeights
from tfxfer.data.source import Source, shown
from tfxfer.data.weighting import class_weights_of
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.sigmoids import ASYMMETRIC
from tfxfer.planning.wording import plan_row

# What is said of the weights that are no numbers.
_WEIGHTS = {
    UNCERTAINTY: "by uncertainty in gradient steps (Kendall et al. 2018)",
    EQUAL: "equal",
}


def describe_objective(
    objective: Objective, source: Source | None = None, task_weights: str = EQUAL
) -> list[str]:
    """Returns the lines on what a multi-label head is trained for, and how it is judged.

    There is no line for one class per image.

    Args:
        objective: What the head is trained for.
        source: The data; their tasks are named.
        task_weights: The setting.
    """
    if objective is SOFTMAX:
        return []
    if objective.is_number:
        return [
            plan_row("objective", "a number, standardized by train; Huber loss"),
            plan_row("", "best epoch: lowest mean absolute error on validation"),
        ]
    if objective.is_ordered:
        return [
            plan_row("objective", "ordered classes, a threshold between neighbors (CORAL)"),
            plan_row("", "best epoch: lowest validation loss"),
        ]
    if source is not None and source.tasks is not None:
        pairs = zip(source.tasks.names, source.tasks.sizes, strict=True)
        named = ", ".join(f"{shown(name)} ({size} classes)" for name, size in pairs)
        return [
            plan_row("tasks", named),
            plan_row("objective", "a softmax for each task, the mean of their cross-entropies"),
            plan_row("", f"weights of their losses: {_WEIGHTS.get(task_weights, task_weights)}"),
            plan_row("", "best epoch: highest mean accuracy of the tasks on validation"),
        ]
    loss = "asymmetric loss (Ridnik et al. 2021)"
    if objective is not ASYMMETRIC:
        loss = "binary cross-entropy"
    return [
        plan_row("objective", f"a sigmoid for each label, {loss}"),
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
