"""The comparison page of several runs: metrics, different settings, curves, F1 by class."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import setting_keys
from tfxfer.errors import UsageError
from tfxfer.reporting import charts
from tfxfer.reporting.charts import Chart, Series
from tfxfer.reporting.html.filling import fill
from tfxfer.runs.history import Epoch, read_history
from tfxfer.runs.metrics_record import FitMetrics, read_metrics
from tfxfer.system.progress import readable_seconds
from tfxfer.system.run_layout import RunDirectory

# Number of line colors in the style sheet.
_COLORS = 6

# Settings that do not change results, such as paths, are not compared.
_PATHS = ("run", "runs_dir", "export_dir", "cache_dir", "checkpoint_minutes")

# Significance level of McNemar's test.
_SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Reported:
    """A run that has a report.

    Attributes:
        name: Name of its directory.
        config: Settings, all decided.
        metrics: Content of `metrics.json`.
        epochs: Epochs of all phases.
        scores: Content of `evaluation.json`.
        is_correct: Whether the prediction for each image is correct, by the id of the image.
    """

    name: str
    config: FitConfig
    metrics: FitMetrics
    epochs: list[Epoch]
    scores: Mapping[str, Any]
    is_correct: Mapping[str, bool]


def read(run: RunDirectory) -> Reported:
    """Reads the report files of a run.

    Raises:
        UsageError: A file is missing or cannot be read.
    """
    try:
        scores = json.loads(run.evaluation.read_text("utf-8"))
        with run.predictions.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            is_correct = {
                row["image"]: row["label"] == row["predicted"] for row in csv.DictReader(file)
            }
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"Cannot read the report of '{run.path}': {error}.") from None
    return Reported(
        name=run.path.resolve().name,
        config=read_recipe(run.config, FitConfig()),
        metrics=read_metrics(run),
        epochs=read_history(run),
        scores=scores,
        is_correct=is_correct,
    )


def render(runs: Sequence[Reported]) -> str:
    """Returns the comparison page of runs; the others are tested against the first."""
    return fill(
        "comparison.html",
        title=f"Comparison of {len(runs)} runs",
        names=[run.name for run in runs],
        same_images=_same_images(runs),
        scores=_scores(runs),
        against=[_against(runs[0], other) for other in runs[1:]],
        settings=_settings(runs),
        charts=_charts(runs),
        legend=charts.legend(_lines(runs, "validation_accuracy")),
        classes=_classes(runs),
    )


def _same_images(runs: Sequence[Reported]) -> bool:
    """Tells whether all runs were evaluated on the same images."""
    return all(run.is_correct.keys() == runs[0].is_correct.keys() for run in runs)


def _scores(runs: Sequence[Reported]) -> list[dict[str, Any]]:
    """Returns a row for each metric, with a cell for each run."""

    def interval(run: Reported, key: str) -> str:
        low, high = run.scores["intervals"][key]
        return f"{low:.4f} to {high:.4f}"

    rows: list[dict[str, Any]] = [
        {
            "name": "evaluated on",
            "cells": [
                (f"{r.scores['num_examples']:,} {r.scores['split']} images", "") for r in runs
            ],
        }
    ]
    measured = [("accuracy", "accuracy"), ("balanced accuracy", "balanced_accuracy")]
    for name, key in [*measured, ("log loss", "loss")]:
        cells = [(f"{run.scores[key]:.4f}", interval(run, key)) for run in runs]
        rows.append({"name": name, "cells": cells})
    cells = [(f"{run.scores['macro']['f1']:.4f}", interval(run, "macro_f1")) for run in runs]
    rows.append({"name": "macro F1", "cells": cells})
    cells = [
        (f"{run.scores['calibration']['error']:.4f}", interval(run, "calibration_error"))
        for run in runs
    ]
    rows.append({"name": "calibration error", "cells": cells})
    for name, key in (("parameters", "total"), ("trainable parameters", "trained")):
        counts = [run.metrics.parameters for run in runs]
        cells = [(f"{getattr(count, key):,}" if count else "", "") for count in counts]
        rows.append({"name": name, "cells": cells})
    took = [run.metrics.seconds.get("total") for run in runs]
    cells = [("" if seconds is None else readable_seconds(seconds), "") for seconds in took]
    rows.append({"name": "total time", "cells": cells})
    return rows


def _against(first: Reported, other: Reported) -> str:
    """Returns whether the accuracies of two runs differ significantly, on the images of both.

    The exact McNemar test: if the runs are equally accurate, each of the images on which only one
    of them is correct is equally likely to be either's (Dietterich 1998, Neural Computation 10(7),
    section 3.1).
    """
    both = first.is_correct.keys() & other.is_correct.keys()
    if not both:
        return f"{first.name} and {other.name} were evaluated on different images."
    only_first = sum(first.is_correct[one] and not other.is_correct[one] for one in both)
    only_other = sum(other.is_correct[one] and not first.is_correct[one] for one in both)
    counts = (
        f"Of {len(both):,} images, {only_first:,} {_are(only_first)} predicted correctly by "
        f"{first.name} only, and {only_other:,} by {other.name} only"
    )
    if not only_first + only_other:
        return f"{counts}: no difference."
    from scipy.stats import binomtest  # a third of a second to import

    p = float(binomtest(only_first, only_first + only_other).pvalue)
    verdict = "significant" if p < _SIGNIFICANCE else "not significant"
    return f"{counts}: the difference is {verdict} (p = {p:.2g}, exact McNemar test)."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _settings(runs: Sequence[Reported]) -> list[dict[str, Any]]:
    """Returns the settings that differ between the runs."""
    rows = []
    for key in setting_keys(FitConfig):
        values = [run.config.get(key) for run in runs]
        if key not in _PATHS and any(value != values[0] for value in values):
            rows.append({"name": key, "values": ["" if v is None else str(v) for v in values]})
    return rows


def _lines(runs: Sequence[Reported], what: str) -> list[Series]:
    """Returns one series for each run."""
    return [
        Series(
            run.name,
            f"run-{number % _COLORS}",
            [(place, getattr(epoch, what)) for place, epoch in enumerate(run.epochs, start=1)],
            [
                f"{run.name}, {epoch.phase} epoch {epoch.epoch}: {getattr(epoch, what):.4f}"
                for epoch in run.epochs
            ],
        )
        for number, run in enumerate(runs)
    ]


def _charts(runs: Sequence[Reported]) -> dict[str, Any]:
    longest = max(len(run.epochs) for run in runs)
    drawn = {}
    for name, what in (
        ("validation loss", "validation_loss"),
        ("validation accuracy", "validation_accuracy"),
    ):
        chart = Chart(
            title=f"{name} by epoch",
            x_label="epoch (all phases)",
            series=_lines(runs, what),
            x_range=(0.5, longest + 0.5),
        )
        drawn[name] = chart.draw()
    return drawn


def _classes(runs: Sequence[Reported]) -> list[dict[str, Any]]:
    """Returns the F1 of each class in each run, and the difference between highest and lowest."""
    found = [{one["name"]: one for one in run.scores["classes"]} for run in runs]
    names = list(dict.fromkeys(name for classes in found for name in classes))
    rows = []
    for name in names:
        values = [classes[name]["f1"] if name in classes else math.nan for classes in found]
        known = [value for value in values if not math.isnan(value)]
        support = max(classes[name]["support"] for classes in found if name in classes)
        rows.append(
            {
                "name": name,
                "support": support,
                "values": values,
                "spread": max(known) - min(known),
                "best": max(known),
            }
        )
    return rows
