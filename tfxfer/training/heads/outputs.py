"""What the outputs of a trained head are of, and the files beside the model that say it."""

import dataclasses

import numpy as np

from tfxfer.data.labels.kinds import MULTI_LABEL
from tfxfer.data.labels.numbers import write_number
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.tasks import write_tasks
from tfxfer.evaluation.multi_label.precision_recall import best_thresholds
from tfxfer.planning.plan import Plan
from tfxfer.planning.several_labels import number_of
from tfxfer.runs.class_names import write_thresholds


def write_kind(plan: Plan) -> None:
    """Writes the tasks of a fit, or what is known of its target, beside the model."""
    tasks, number = plan.source.tasks, number_of(plan.source)
    if tasks is not None:
        write_tasks(plan.run.tasks, tasks)
    if number is not None:
        write_number(plan.run.target, number)


def outputs_of(plan: Plan, probabilities: np.ndarray, labels: np.ndarray) -> Outputs:
    """Returns what the outputs are of.

    The threshold of each of several labels is chosen on validation, and written beside the model.

    Args:
        plan: The plan of the fit.
        probabilities: Of the validation images, (num_examples, num_outputs).
        labels: Of the same.
    """
    source, number = plan.source, number_of(plan.source)
    outputs = Outputs(
        source.class_names, tasks=source.tasks, is_ordered=plan.config.ordered, number=number
    )
    if source.special != MULTI_LABEL:
        return outputs
    thresholds = best_thresholds(probabilities, labels)
    write_thresholds(plan.run.thresholds, outputs.names, thresholds.tolist())
    return dataclasses.replace(outputs, thresholds=thresholds)
