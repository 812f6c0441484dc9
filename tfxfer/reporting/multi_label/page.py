"""The report of a multi-label run as an HTML page."""

from typing import Any

import numpy as np

from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.evaluation.multi_label.precision_recall import Ranking
from tfxfer.evaluation.multi_label.result import MultiLabelResult
from tfxfer.reporting import charts
from tfxfer.reporting.charts import Chart, Series
from tfxfer.reporting.html.filling import fill
from tfxfer.reporting.multi_label.findings import MultiLabelFindings
from tfxfer.reporting.page import sections
from tfxfer.reporting.thumbnails import data_urls, read_thumbnails, shrunk, with_heat

# Number of images with a wrong label, with Grad-CAM.
_NUM_EXPLAINED = 12
_EXPLAINED_SIDE = 176

# Images of up to this side are enlarged without smoothing.
_SMALL_IMAGES = 48

# Labels with a curve, and labels of the table of co-occurrence: those of the lowest average
# precision, and the most frequent ones.
_NUM_CURVES, _NUM_TOGETHER = 24, 30

# Points of a curve: more cannot be told apart.
_MOST_POINTS = 200

# With fewer images the report says that the interval is wide.
_FEW_IMAGES = 100


def render(findings: MultiLabelFindings) -> str:
    """Returns the page of a run as self-contained HTML."""
    draw(findings)
    return fill(
        "multi_label.html",
        **sections(findings, verdict(findings.result)),
        small_images=findings.images.frame.longer <= _SMALL_IMAGES,
        labels=_labels(findings),
        precision_recall=_curves(findings.result),
        together=_together(findings.result),
        num_together=_NUM_TOGETHER,
        **findings.drawn,
    )


def draw(findings: MultiLabelFindings) -> None:
    """Draws the images of the page, unless they are drawn."""
    if not findings.drawn:
        findings.drawn.update(_mistakes(findings))


def verdict(result: MultiLabelResult) -> list[str]:
    """Returns sentences on the mean average precision, how certain it is, and what is at stake."""
    low, high = result.intervals["mean_average_precision"]
    there = int(np.count_nonzero(result.classes.support))
    lines = [
        f"{result.split.capitalize()} mean average precision {result.mean_average_precision:.3f} "
        f"over {there} labels ({result.num_examples:,} images; 95% interval {low:.3f} to "
        f"{high:.3f})."
    ]
    if result.split == "validation":
        lines.append(
            "There is no test split. The validation images were also used to choose the best "
            "epoch and the thresholds, so these scores are slightly optimistic."
        )
    if result.num_examples < _FEW_IMAGES:
        lines.append(f"Fewer than {_FEW_IMAGES} images were evaluated, so the interval is wide.")
    lines.append(
        f"At the thresholds, chosen on validation for the best F1 of each label: macro F1 "
        f"{result.macro_f1:.3f}, micro F1 {result.micro_f1:.3f}; for {result.exact_match:.1%} of "
        "the images all labels are right."
    )
    known = np.maximum(result.is_known.sum(axis=0), 1)
    guess = float((result.classes.support / known)[result.classes.support > 0].mean())
    lines.append(f"Baseline: guessing has a mean average precision of {guess:.3f}.")
    return lines


def _labels(findings: MultiLabelFindings) -> list[dict[str, Any]]:
    """Returns a row for each label."""
    result, counts, scores = findings.result, findings.counts, findings.result.classes
    return [
        {
            "name": name,
            "train": int(counts["train"][index]) if "train" in counts else 0,
            "support": int(scores.support[index]),
            "unknown": int(np.count_nonzero(~result.is_known[:, index])),
            "average_precision": float(result.average_precision[index]),
            "threshold": float(result.thresholds[index]),
            "precision": float(scores.precision[index]),
            "recall": float(scores.recall[index]),
            "f1": float(scores.f1[index]),
        }
        for index, name in enumerate(result.class_names)
    ]


def _curves(result: MultiLabelResult) -> list[dict[str, Any]]:
    """Returns the precision-recall curves of the labels, those of low average precision first."""
    ranking = Ranking(result.probabilities, result.labels)
    there = np.flatnonzero(result.classes.support)
    order = there[np.argsort(result.average_precision[there], kind="stable")][:_NUM_CURVES]
    return [{"name": result.class_names[i], "chart": _curve(result, ranking, i)} for i in order]


def _curve(result: MultiLabelResult, ranking: Ranking, label: int) -> Any:
    """Draws the precision-recall curve of a label, with a dot at its threshold."""
    _, precision, recall = ranking.curve(label)
    count = min(len(recall), _MOST_POINTS)
    shown = np.unique(np.linspace(0, len(recall) - 1, count).round().astype(int))
    points = list(zip(recall[shown].tolist(), precision[shown].tolist(), strict=True))
    scores, name = result.classes, result.class_names[label]
    at = (float(scores.recall[label]), float(scores.precision[label]))
    note = (
        f"threshold {result.thresholds[label]:.3f}: precision {at[1]:.3f}, recall {at[0]:.3f}, F1 "
        f"{scores.f1[label]:.3f}"
    )
    return Chart(
        title=f"Precision by recall of {name}",
        x_label="recall",
        series=[
            Series("precision", "curve", points, [""] * len(points), [0.0] * len(points)),
            Series("threshold", "train", [at], [note], [charts.DOT + 2]),
        ],
        y_range=(0, 1),
        x_range=(0, 1),
        x_ticks=[0, 0.2, 0.4, 0.6, 0.8, 1],
    ).draw()


def _together(result: MultiLabelResult) -> dict[str, Any]:
    """Returns how many images have two labels each, and for how many both are predicted."""
    support = result.classes.support
    shown = np.sort(np.argsort(-support, kind="stable")[:_NUM_TOGETHER])
    true = result.co_occurrence[np.ix_(shown, shown)]
    predicted = result.predicted_together[np.ix_(shown, shown)]
    names = [result.class_names[index] for index in shown]
    rows = [
        {
            "name": name,
            "cells": [
                {
                    "count": int(true[row, column]),
                    "predicted": int(predicted[row, column]),
                    "share": float(true[row, column] / max(1, true[row, row])),
                    "title": _title(names, row, column, true, predicted),
                }
                for column in range(len(names))
            ],
        }
        for row, name in enumerate(names)
    ]
    return {"names": names, "rows": rows, "num_labels": len(support)}


def _title(names: list[str], row: int, column: int, true: np.ndarray, predicted: np.ndarray) -> str:
    """Returns what a cell of the table says in words."""
    what = names[row] if row == column else f"{names[row]} and {names[column]}"
    return f"{what}: {true[row, column]:,} images, predicted for {predicted[row, column]:,}"


def _mistakes(findings: MultiLabelFindings) -> dict[str, Any]:
    """Returns the images with the most confident wrong labels, with heat maps for these labels."""
    explainer = Explainer(findings.model)
    chosen = findings.mistakes[:_NUM_EXPLAINED]
    items: list[dict[str, Any]] = []
    if chosen:
        numbers = np.array([image for image, _ in chosen], np.int64)
        labels = np.array([label for _, label in chosen], np.int64)
        squares = read_thumbnails(findings.images, numbers, findings.images.frame.longer)
        thumbnails = shrunk(squares, _EXPLAINED_SIDE)
        heat: list[str | None] = [None] * len(chosen)
        if explainer.can_explain:
            heat = list(data_urls(with_heat(thumbnails, explainer.heat(squares, labels))))
        for number, label, id_, thumbnail, hot in zip(
            numbers.tolist(),
            labels.tolist(),
            findings.short_ids(numbers),
            data_urls(thumbnails),
            heat,
            strict=True,
        ):
            items.append({**_mistake(findings, number, label), "id": id_})
            items[-1] |= {"thumbnail": thumbnail, "heat": hot}
    return {
        "mistakes": items,
        "num_mistakes": len(findings.mistakes),
        "can_explain": explainer.can_explain,
    }


def _mistake(findings: MultiLabelFindings, number: int, label: int) -> dict[str, Any]:
    """Returns what is said of a wrong label of an image."""
    result = findings.result
    return {
        "label": result.class_names[label],
        "is_predicted": bool(result.predicted[number, label]),
        "probability": float(result.probabilities[number, label]),
        "threshold": float(result.thresholds[label]),
        "labels": findings.labels_of(number),
        "predicted": findings.predicted_for(number),
    }
