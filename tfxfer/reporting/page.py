"""The page on one run: what its template is given."""

import datetime
import pathlib
import platform
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import keras
import numpy as np
import numpy.typing as npt
import scipy.cluster.hierarchy
import tensorflow as tf
from markupsafe import Markup

from tfxfer.config.recipes import read_recipe, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.reporting import charts, words
from tfxfer.reporting.curves import curves
from tfxfer.reporting.findings import Findings
from tfxfer.reporting.pictures import data_urls, lay_out, read_pictures, shrunk, warmed
from tfxfer.system.progress import readable_seconds
from tfxfer.version import __version__

# So many of the most confident mistakes, and of the least confident hits, are shown with heat.
_LOOKED_AT = 12

_LOOKED_AT_SIDE = 176

# Behind each cell of the confusion matrix lie at most so many pictures, and in all so many: at 64
# pixels photographs take about 3 MB of the page.
_PER_CELL = 24

_IN_CELLS = 2000

_SMALL_SIDE, _LARGE_SIDE = 64, 96

_FEW = 300

# More classes than these are no matrix to look at: those that are confused most are shown.
_MATRIX_CLASSES = 100


def render(findings: Findings) -> str:
    """Returns the page of a run as HTML that needs nothing beside it."""
    return fill(
        "run.html",
        title=findings.run.path.name,
        **_story(findings),
        **curves(findings.epochs, findings.config, findings.metrics.best),
        **_numbers(findings),
        **_matrix(findings),
        **_looked_at(findings),
        **_data(findings),
    )


def fill(template: str, **content: Any) -> str:
    """Returns a page: a template with its content, which is escaped, and a word on its origin."""
    folder = pathlib.Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(
        **content,
        style=_ours(folder / "style.css"),
        script=_ours(folder / "page.js"),
        date=datetime.date.today().isoformat(),
        versions=f"tfxfer {__version__}, Keras {keras.__version__} on "
        f"{keras.backend.backend()}, TensorFlow {tf.__version__}, Python "
        f"{platform.python_version()}",
    )
    # The name of a file need not be UTF-8; a page is.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _ours(path: pathlib.Path) -> Markup:
    """Returns a file of this package as it is to stand in the page."""
    return Markup(path.read_text("utf-8"))


def _story(findings: Findings) -> dict[str, Any]:
    """Returns what was asked, what was done, and what came out."""
    config, metrics, result = findings.config, findings.metrics, findings.result
    asked = findings.run.asked
    return {
        "data_name": result.data,
        "verdict": words.verdict(result),
        "transfer": words.transfer(metrics.comparison),
        "asked": words.asked(read_recipe(asked, FitConfig())) if asked.is_file() else None,
        "network": words.network(config, metrics.parameters, len(result.class_names)),
        "phases": words.phases(config, findings.epochs, metrics.penalty, metrics.best),
        "repeat": shlex.join(["tfxfer", "fit", "--config", str(findings.run.config)]),
        "settings": to_toml(config),
        "seconds": _seconds(metrics.seconds),
    }


def _seconds(seconds: Mapping[str, float]) -> Markup | None:
    """Returns bars of what the parts of the run took."""
    parts = {name: took for name, took in seconds.items() if name != "total"}
    if not parts or not seconds.get("total"):
        return None
    longest = max(parts.values())
    return charts.bars(
        [(name, took / longest, readable_seconds(took)) for name, took in parts.items()]
    )


def _numbers(findings: Findings) -> dict[str, Any]:
    """Returns the scores, the table of the classes, and the reliability."""
    result = findings.result
    bins = result.calibration
    columns = (bins.confidence.tolist(), bins.accuracy.tolist(), bins.count.tolist())
    return {
        "split": result.split,
        "num_examples": result.num_examples,
        "scores": [
            {"name": name, "value": value, "low": low, "high": high}
            for name, value, (low, high) in result.rows()
        ],
        "classes": _classes(findings),
        "reliability": charts.reliability(list(zip(*columns, strict=True))),
        "calibration": words.calibration(findings.metrics.calibration, result.split),
    }


def _classes(findings: Findings) -> list[dict[str, Any]]:
    """Returns a row for each class."""
    result, counts, scores = findings.result, findings.counts, findings.result.classes
    mistaken = result.pairs.most_often_taken_for()
    classes = []
    for index, name in enumerate(result.class_names):
        taken_for, times = mistaken.get(index, (0, 0))
        classes.append(
            {
                "name": name,
                "train": int(counts["train"][index]) if "train" in counts else 0,
                "support": int(scores.support[index]),
                "precision": float(scores.precision[index]),
                "recall": float(scores.recall[index]),
                "f1": float(scores.f1[index]),
                "confused": result.class_names[taken_for] if times else "",
                "times": times,
            }
        )
    return classes


def _matrix(findings: Findings) -> dict[str, Any]:
    """Returns the confusion matrix, the orders of its classes, and the pictures of its cells."""
    result = findings.result
    shown = result.pairs.classes_with_most_mistakes(_MATRIX_CLASSES)
    confusion = result.pairs.among(shown)
    behind = findings.behind_cells(shown, _PER_CELL, _IN_CELLS)
    numbers = np.array([number for some in behind.values() for number in some], np.int64)
    side = _LARGE_SIDE if len(numbers) <= _FEW else _SMALL_SIDE
    sheets = lay_out(read_pictures(findings.images, numbers, side))
    tile = {
        "side": sheets.side,
        "pitch": sheets.pitch,
        "columns": sheets.columns,
        "rows": sheets.rows,
    }
    return {
        "num_shown": len(shown),
        "num_classes": len(result.class_names),
        "sheets": sheets,
        "matrix": {
            "names": [result.class_names[index] for index in shown],
            "support": result.classes.support[shown].tolist(),
            "orders": _orders(result, shown, confusion),
            "cells": _cells(findings, confusion, behind),
            "tile": tile,
        },
    }


def _cells(
    findings: Findings,
    confusion: npt.NDArray[np.int64],
    behind: Mapping[tuple[int, int], Sequence[int]],
) -> list[list[Any]]:
    """Returns the cells that are not empty: row, column, how many images, and their pictures."""
    numbers = np.array([number for some in behind.values() for number in some], np.int64)
    tiles, ids = iter(range(len(numbers))), iter(findings.short_ids(numbers))
    cells = []
    for row, column in np.argwhere(confusion):
        pictures = [
            [next(tiles), next(ids), round(float(findings.confidence[number]), 4)]
            for number in behind.get((row, column), [])
        ]
        cells.append([int(row), int(column), int(confusion[row, column]), pictures])
    return cells


def _orders(
    result: EvaluationResult, shown: npt.NDArray[np.int64], confusion: npt.NDArray[np.int64]
) -> dict[str, list[int]]:
    """Returns the orders in which the classes of the matrix may stand."""
    names = [result.class_names[index] for index in shown]
    scores = result.classes
    return {
        "as the model numbers them": list(range(len(shown))),
        "by name": sorted(range(len(names)), key=lambda index: names[index].casefold()),
        "lowest F1 first": np.argsort(scores.f1[shown], kind="stable").tolist(),
        "most images first": np.argsort(-scores.support[shown], kind="stable").tolist(),
        "confused ones side by side": _alike_together(confusion),
    }


def _alike_together(confusion: npt.NDArray[np.int64]) -> list[int]:
    """Returns an order of the classes in which those that are taken for each other are near."""
    if len(confusion) < 3:
        return list(range(len(confusion)))
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    alike = (shares + shares.T)[np.triu_indices(len(shares), 1)] / 2
    tree = scipy.cluster.hierarchy.linkage(1 - alike, "average", optimal_ordering=True)
    return [int(index) for index in scipy.cluster.hierarchy.leaves_list(tree)]


def _looked_at(findings: Findings) -> dict[str, Any]:
    """Returns the most confident mistakes and the least confident hits, with their heat."""
    explainer = Explainer(findings.model)
    return {
        "mistakes": _explained(findings, explainer, findings.mistakes[:_LOOKED_AT]),
        "hits": _explained(findings, explainer, findings.hits[:_LOOKED_AT]),
        "can_explain": explainer.can_explain,
        "num_mistakes": len(findings.mistakes),
    }


def _explained(
    findings: Findings, explainer: Explainer, numbers: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Returns what is shown of some images, in their order."""
    if not len(numbers):
        return []
    result, predicted = findings.result, findings.predicted[numbers]
    squares = read_pictures(findings.images, numbers, findings.images.image_size)
    pictures = shrunk(squares, _LOOKED_AT_SIDE)
    labels = result.labels[numbers]
    said: Sequence[str | None] = [None] * len(numbers)
    meant: Sequence[str | None] = [None] * len(numbers)
    if explainer.can_explain:
        said = data_urls(warmed(pictures, explainer.heat(squares, predicted)))
        if (labels != predicted).any():
            meant = data_urls(warmed(pictures, explainer.heat(squares, labels)))
    return [
        {
            "picture": picture,
            "said": for_said,
            "meant": for_meant,
            "label": result.class_names[label],
            "predicted": result.class_names[taken],
            "confidence": float(result.probabilities[number, taken]),
            "label_probability": float(result.probabilities[number, label]),
            "id": one,
        }
        for number, one, label, taken, picture, for_said, for_meant in zip(
            numbers,
            findings.short_ids(numbers),
            labels,
            predicted,
            data_urls(pictures),
            said,
            meant,
            strict=True,
        )
    ]


def _data(findings: Findings) -> dict[str, Any]:
    """Returns what is known of the data."""
    data = findings.metrics.data
    return {
        "splits": {name: int(counts.sum()) for name, counts in findings.counts.items()},
        "notes": findings.notes,
        "skipped": sum(findings.metrics.skipped.values()),
        "fingerprint": data.fingerprint if data else None,
    }
