"""The report of a run of several tasks as an HTML page."""

from typing import Any

import numpy as np

from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.evaluation.tasks.result import TasksResult
from tfxfer.reporting.html.filling import fill
from tfxfer.reporting.page import sections
from tfxfer.reporting.tasks.findings import TasksFindings
from tfxfer.reporting.thumbnails import data_urls, read_thumbnails, shrunk, with_heat

# Number of the most confident mistakes of a task, with Grad-CAM.
_NUM_EXPLAINED = 6
_EXPLAINED_SIDE = 176

# Images of up to this side are enlarged without smoothing.
_SMALL_IMAGES = 48

# With more classes the confusion matrix of a task shows those with the most mistakes.
_MATRIX_CLASSES = 30

# With fewer images the report says that the interval is wide.
_FEW_IMAGES = 100


def render(findings: TasksFindings) -> str:
    """Returns the page of a run as self-contained HTML."""
    draw(findings)
    return fill(
        "tasks.html",
        **sections(findings, verdict(findings.result)),
        small_images=findings.images.frame.longer <= _SMALL_IMAGES,
        **findings.drawn,
    )


def draw(findings: TasksFindings) -> None:
    """Draws the images of the page, unless they are drawn."""
    if not findings.drawn:
        explainer = Explainer(findings.model)
        tasks = [_task(findings, explainer, name) for name in findings.result.of_task]
        findings.drawn.update(tasks=tasks, can_explain=explainer.can_explain)


def verdict(result: TasksResult) -> list[str]:
    """Returns sentences on the accuracy of each task, how certain it is, and the baseline."""
    lines = []
    for name, one in result.of_task.items():
        low, high = (100 * end for end in one.intervals["accuracy"])
        common = int(one.classes.support.max()) / one.num_examples
        lines.append(
            f"{name}: {result.split} accuracy {one.accuracy:.1%} ({one.num_examples:,} images; 95% "
            f"interval {low:.1f} to {high:.1f}; always the most frequent class: {common:.1%})."
        )
    if result.split == "validation":
        lines.append(
            "There is no test split. The validation images were also used to choose the best "
            "epoch, so these accuracies are slightly optimistic."
        )
    if result.num_examples < _FEW_IMAGES:
        lines.append(f"Fewer than {_FEW_IMAGES} images were evaluated, so the intervals are wide.")
    lines.append(f"For {result.exact_match:.1%} of the images all tasks are predicted correctly.")
    return lines


def _task(findings: TasksFindings, explainer: Explainer, task: str) -> dict[str, Any]:
    """Returns what the page shows of a task."""
    result = findings.result.of_task[task]
    return {
        "name": task,
        "num_images": result.num_examples,
        "num_missing": findings.result.num_examples - result.num_examples,
        "classes": _classes(findings, task),
        "confusion": _confusion(result),
        "mistakes": _mistakes(findings, explainer, task),
        "num_mistakes": len(findings.mistakes(task)),
    }


def _classes(findings: TasksFindings, task: str) -> list[dict[str, Any]]:
    """Returns a row for each class of a task."""
    result, columns = findings.result.of_task[task], findings.result.tasks.columns[task]
    scores, train = result.classes, findings.counts.get("train")
    counts = np.zeros(len(result.class_names), np.int64) if train is None else train[columns]
    most_frequent = result.pairs.most_often_predicted_as()
    rows = []
    for index, name in enumerate(result.class_names):
        predicted, times = most_frequent.get(index, (0, 0))
        rows.append(
            {
                "name": name,
                "train": int(counts[index]),
                "support": int(scores.support[index]),
                "precision": float(scores.precision[index]),
                "recall": float(scores.recall[index]),
                "f1": float(scores.f1[index]),
                "confused": result.class_names[predicted] if times else "",
                "times": times,
            }
        )
    return rows


def _confusion(result: EvaluationResult) -> dict[str, Any]:
    """Returns the confusion matrix of a task."""
    shown = result.pairs.classes_with_most_mistakes(_MATRIX_CLASSES)
    matrix = result.pairs.among(shown)
    names = [result.class_names[index] for index in shown]
    totals = np.maximum(matrix.sum(axis=1), 1)
    rows = [
        {
            "name": name,
            "cells": [
                {
                    "count": int(count),
                    "share": float(count / totals[row]),
                    "is_right": row == column,
                    "title": f"{name} predicted as {names[column]}: {count:,} images",
                }
                for column, count in enumerate(matrix[row].tolist())
            ],
        }
        for row, name in enumerate(names)
    ]
    return {"names": names, "rows": rows, "num_classes": len(result.class_names)}


def _mistakes(findings: TasksFindings, explainer: Explainer, task: str) -> list[dict[str, Any]]:
    """Returns the images with the most confident mistakes of a task, with heat maps."""
    result, columns = findings.result, findings.result.tasks.columns[task]
    numbers = findings.mistakes(task)[:_NUM_EXPLAINED]
    if not len(numbers):
        return []
    place = result.tasks.names.index(task)
    predicted = result.predicted[numbers, place]
    squares = read_thumbnails(findings.images, numbers, findings.images.frame.longer)
    thumbnails = shrunk(squares, _EXPLAINED_SIDE)
    heat: list[str | None] = [None] * len(numbers)
    if explainer.can_explain:
        maps = explainer.heat(squares, predicted + columns.start)
        heat = list(data_urls(with_heat(thumbnails, maps)))
    own = result.tasks.classes[place]
    columns_of_image = zip(
        numbers.tolist(),
        predicted.tolist(),
        findings.short_ids(numbers),
        data_urls(thumbnails),
        heat,
        strict=True,
    )
    return [
        {
            "label": own[result.true[number, place]],
            "predicted": own[chosen],
            "confidence": float(result.probabilities[number, columns.start + chosen]),
            "id": id_,
            "thumbnail": thumbnail,
            "heat": hot,
        }
        for number, chosen, id_, thumbnail, hot in columns_of_image
    ]
