"""The report of one run as an HTML page."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.cluster.hierarchy
from markupsafe import Markup

from tfxfer.config.recipes import read_recipe, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.evaluation.calibration import Calibration
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.reporting import charts, words
from tfxfer.reporting.curves import curves, range_test
from tfxfer.reporting.data.section import section_of_data
from tfxfer.reporting.findings import Findings, RunFindings
from tfxfer.reporting.html.filling import fill
from tfxfer.reporting.numbers.words import intervals_in_words, measured
from tfxfer.reporting.ranking.section import section_of_run
from tfxfer.reporting.thumbnails import data_urls, lay_out, read_thumbnails, shrunk, with_heat
from tfxfer.runs.search.rates import read_rates
from tfxfer.runs.search.trials import read_trials
from tfxfer.system.progress import readable_seconds

# Number of most confident mistakes, and of least confident correct predictions, with Grad-CAM.
_NUM_EXPLAINED = 12
_EXPLAINED_SIDE = 176

# Maximum number of images of each cell of the confusion matrix, and of all cells: at 64 pixels they
# add about 3 MB to the page.
_PER_CELL = 24

_ALL_CELLS = 2000
_SMALL_SIDE, _LARGE_SIDE = 64, 96

_FEW = 300

# Images of up to this side are enlarged without smoothing.
_SMALL_IMAGES = 48

# With more classes the matrix shows those with the most mistakes.
_MATRIX_CLASSES = 100


def render(findings: Findings) -> str:
    """Returns the page of a run as self-contained HTML."""
    draw(findings)
    return fill(
        "run.html",
        **sections(findings, words.verdict(findings.result)),
        classes=_classes(findings),
        **findings.drawn,
    )


def draw(findings: Findings) -> None:
    """Draws the images of the page, unless they are drawn."""
    if not findings.drawn:
        findings.drawn.update(_matrix(findings) | _examples(findings))


def sections(findings: RunFindings[Any], verdict: list[str]) -> dict[str, Any]:
    """Returns what pages on any labels show: the setup, the training, the calibration, the data.

    Args:
        findings: Of a run.
        verdict: Sentences on how good the model is.
    """
    run, config = findings.run, findings.config
    metrics, result = findings.metrics, findings.result
    repeated = words.settings_to_repeat(run, metrics)
    data = metrics.data
    return {
        "title": findings.run.path.name,
        "ranking": section_of_run(run),
        "data_findings": section_of_data(run),
        "data_name": result.data,
        "num_classes": len(result.class_names),
        "verdict": verdict,
        "transfer": words.transfer(metrics.comparison),
        "remarks": words.remarks(metrics),
        "asked": words.asked(read_recipe(run.asked, FitConfig())) if run.asked.is_file() else None,
        "network": words.network(config, metrics.parameters, len(result.class_names)),
        "phases": words.phases(config, findings.epochs, metrics),
        "metric_name": findings.metric_name,
        "finetuned": any(epoch.phase == "finetune" for epoch in findings.epochs),
        "start_penalty": metrics.start_penalty,
        "search": metrics.search,
        "trials": read_trials(findings.run),
        "repeat": shlex.join(words.repeating(findings.run.path.name, str(repeated))),
        "settings": to_toml(config),
        "seconds": _seconds(metrics.seconds),
        "split": result.split,
        "num_examples": result.num_examples,
        "intervals": intervals_in_words(result),
        "scores": _scores(result),
        "reliability": _reliability(result.calibration),
        "calibration": words.calibration(metrics.calibration, result.split),
        "splits": findings.num_images,
        **{"notes": findings.notes, "skipped": sum(metrics.skipped.values())},
        "fingerprint": data.fingerprint if data else None,
        **curves(findings.shown_epochs, config, metrics.best, findings.metric_name),
        "range_test": range_test(read_rates(findings.run), config.finetune.learning_rate),
    }


def _scores(result: Any) -> list[dict[str, str]]:
    """Returns a row for each metric."""
    return [
        {
            "name": name,
            "value": measured(value, result),
            "low": measured(low, result),
            "high": measured(high, result),
        }
        for name, value, (low, high) in result.rows()
    ]


def _reliability(found: Calibration | None) -> Markup | None:
    """Returns the reliability diagram; None where there are no probabilities."""
    if found is None:
        return None
    columns = (found.confidence.tolist(), found.accuracy.tolist(), found.count.tolist())
    return charts.reliability(list(zip(*columns, strict=True)))


def _seconds(seconds: Mapping[str, float]) -> Markup | None:
    """Returns bars with the time of each part of the run."""
    parts = {name: took for name, took in seconds.items() if name != "total"}
    if not parts or not seconds.get("total"):
        return None
    longest = max(parts.values())
    labels = {
        "earlier": "before resuming",
        "data": "reading data",
        "images": "preparing images",
        "folds": "cross-validation",
    }
    return charts.bars(
        [
            (labels.get(name, name), took / longest, readable_seconds(took))
            for name, took in parts.items()
        ]
    )


def _classes(findings: Findings) -> list[dict[str, Any]]:
    """Returns a row for each class."""
    result, counts, scores = findings.result, findings.counts, findings.result.classes
    most_frequent = result.pairs.most_often_predicted_as()
    classes = []
    for index, name in enumerate(result.class_names):
        predicted, times = most_frequent.get(index, (0, 0))
        classes.append(
            {
                "name": name,
                "train": int(counts["train"][index]) if "train" in counts else 0,
                "support": int(scores.support[index]),
                "precision": float(scores.precision[index]),
                "recall": float(scores.recall[index]),
                "f1": float(scores.f1[index]),
                "confused": result.class_names[predicted] if times else "",
                "times": times,
            }
        )
    return classes


def _matrix(findings: Findings) -> dict[str, Any]:
    """Returns the confusion matrix, the orders of its classes, and the images of its cells."""
    result = findings.result
    shown = result.pairs.classes_with_most_mistakes(_MATRIX_CLASSES)
    confusion = result.pairs.among(shown)
    images = findings.images_of_cells(shown, _PER_CELL, _ALL_CELLS)
    numbers = np.array([number for some in images.values() for number in some], np.int64)
    side = _LARGE_SIDE if len(numbers) <= _FEW else _SMALL_SIDE
    sheets = lay_out(read_thumbnails(findings.images, numbers, side))
    tile = {
        "side": sheets.side,
        "pitch": sheets.pitch,
        "columns": sheets.columns,
        "rows": sheets.rows,
    }
    return {
        "small_images": sheets.side <= _SMALL_IMAGES,
        "num_shown": len(shown),
        "sheets": sheets,
        "matrix": {
            "names": [result.class_names[index] for index in shown],
            "support": result.classes.support[shown].tolist(),
            "orders": _orders(result, shown, confusion),
            "cells": _cells(findings, confusion, images),
            "tile": tile,
        },
    }


def _cells(
    findings: Findings,
    confusion: npt.NDArray[np.int64],
    images: Mapping[tuple[int, int], Sequence[int]],
) -> list[list[Any]]:
    """Returns the cells that are not zero, as [row, column, count, images]."""
    numbers = np.array([number for some in images.values() for number in some], np.int64)
    tiles, ids = iter(range(len(numbers))), iter(findings.short_ids(numbers))
    cells = []
    for row, column in np.argwhere(confusion):
        thumbnails = [
            [next(tiles), next(ids), round(float(findings.confidence[number]), 4)]
            for number in images.get((row, column), [])
        ]
        cells.append([int(row), int(column), int(confusion[row, column]), thumbnails])
    return cells


def _orders(
    result: EvaluationResult, shown: npt.NDArray[np.int64], confusion: npt.NDArray[np.int64]
) -> dict[str, list[int]]:
    """Returns the orders of the classes in the matrix, by name."""
    names = [result.class_names[index] for index in shown]
    scores = result.classes
    return {
        "class index": list(range(len(shown))),
        "class name": sorted(range(len(names)), key=lambda index: names[index].casefold()),
        "lowest F1 first": np.argsort(scores.f1[shown], kind="stable").tolist(),
        "most images first": np.argsort(-scores.support[shown], kind="stable").tolist(),
        "confused classes together": _confused_together(confusion),
    }


def _confused_together(confusion: npt.NDArray[np.int64]) -> list[int]:
    """Returns an order of the classes with confused ones next to each other."""
    if len(confusion) < 3:
        return list(range(len(confusion)))
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    alike = (shares + shares.T)[np.triu_indices(len(shares), 1)] / 2
    tree = scipy.cluster.hierarchy.linkage(1 - alike, "average", optimal_ordering=True)
    return [int(index) for index in scipy.cluster.hierarchy.leaves_list(tree)]


def _examples(findings: Findings) -> dict[str, Any]:
    """Returns the most confident mistakes and the least confident correct predictions."""
    explainer = Explainer(findings.model)
    mistakes, correct = (one[:_NUM_EXPLAINED] for one in (findings.mistakes, findings.correct))
    explained = _explained(findings, explainer, np.concatenate([mistakes, correct]))
    return {
        "mistakes": explained[: len(mistakes)],
        "correct": explained[len(mistakes) :],
        "can_explain": explainer.can_explain,
        "num_mistakes": len(findings.mistakes),
    }


def _explained(
    findings: Findings, explainer: Explainer, numbers: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Returns images with label, prediction and heat maps, in their order."""
    if not len(numbers):
        return []
    result, predicted = findings.result, findings.predicted[numbers]
    squares = read_thumbnails(findings.images, numbers, findings.images.frame.longer)
    thumbnails = shrunk(squares, _EXPLAINED_SIDE)
    labels = result.labels[numbers]
    heat_predicted: Sequence[str | None] = [None] * len(numbers)
    heat_label: Sequence[str | None] = [None] * len(numbers)
    if explainer.can_explain:
        of_predicted, of_label = explainer.heats(squares, [predicted, labels])
        heat_predicted = data_urls(with_heat(thumbnails, of_predicted))
        wrong = labels != predicted
        urls = iter(data_urls(with_heat(thumbnails[wrong], of_label[wrong])) if wrong.any() else ())
        heat_label = [next(urls) if is_wrong else None for is_wrong in wrong]
    return [
        {
            "thumbnail": thumbnail,
            "heat_predicted": for_predicted,
            "heat_label": for_label,
            "label": result.class_names[label],
            "predicted": result.class_names[chosen],
            "confidence": float(result.probabilities[number, chosen]),
            "label_probability": float(result.probabilities[number, label]),
            "id": one,
        }
        for number, one, label, chosen, thumbnail, for_predicted, for_label in zip(
            numbers,
            findings.short_ids(numbers),
            labels,
            predicted,
            data_urls(thumbnails),
            heat_predicted,
            heat_label,
            strict=True,
        )
    ]
