"""Several runs on one page: their scores, what they were asked that differs, curves and classes."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import scipy.stats

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import setting_keys
from tfxfer.errors import UsageError
from tfxfer.reporting import charts
from tfxfer.reporting.charts import Chart, Series
from tfxfer.reporting.page import fill
from tfxfer.runs.history import Epoch, read_history
from tfxfer.runs.metrics_record import FitMetrics, read_metrics
from tfxfer.system.progress import readable_seconds
from tfxfer.system.run_layout import RunDirectory

# The style sheet has so many colours of lines.
_COLOURS = 6

# Where a run lies says nothing of what it does.
_PLACES = ("run", "runs_dir", "export_dir", "cache_dir", "checkpoint_minutes")

# A difference that chance alone would give more seldom than this is called one.
_SELDOM = 0.05


@dataclass(frozen=True)
class Reported:
    """A run that has been reported on.

    Attributes:
        name: Of its directory.
        config: Its settings, all decided.
        metrics: What came out of it.
        epochs: What happened, of all phases.
        scores: What `evaluation.json` holds.
        right: Whether each image of the split that judges was recognised, by its id.
    """

    name: str
    config: FitConfig
    metrics: FitMetrics
    epochs: list[Epoch]
    scores: Mapping[str, Any]
    right: Mapping[str, bool]


def read(run: RunDirectory) -> Reported:
    """Returns what lies in the directory of a run.

    Raises:
        UsageError: A file is missing or damaged.
    """
    try:
        scores = json.loads(run.evaluation.read_text("utf-8"))
        with run.predictions.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            right = {row["image"]: row["label"] == row["predicted"] for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"Cannot read the report of '{run.path}': {error}.") from None
    return Reported(
        name=run.path.resolve().name,
        config=read_recipe(run.config, FitConfig()),
        metrics=read_metrics(run),
        epochs=read_history(run),
        scores=scores,
        right=right,
    )


def render(runs: Sequence[Reported]) -> str:
    """Returns the page that shows runs side by side; the others are held against the first."""
    return fill(
        "comparison.html",
        title=f"{len(runs)} runs side by side",
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
    """Tells whether all were judged on the same images."""
    return all(run.right.keys() == runs[0].right.keys() for run in runs)


def _scores(runs: Sequence[Reported]) -> list[dict[str, Any]]:
    """Returns a row for each number, with what each run has."""

    def interval(run: Reported, key: str) -> str:
        low, high = run.scores["intervals"][key]
        return f"{low:.4f} to {high:.4f}"

    rows: list[dict[str, Any]] = [
        {
            "name": "judged on",
            "cells": [(f"{r.scores['num_examples']:,} {r.scores['split']}", "") for r in runs],
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
    for name, key in (("parameters", "total"), ("of these trained", "trained")):
        counts = [run.metrics.parameters for run in runs]
        cells = [(f"{getattr(count, key):,}" if count else "", "") for count in counts]
        rows.append({"name": name, "cells": cells})
    took = [run.metrics.seconds.get("total") for run in runs]
    cells = [("" if seconds is None else readable_seconds(seconds), "") for seconds in took]
    rows.append({"name": "took", "cells": cells})
    return rows


def _against(first: Reported, other: Reported) -> str:
    """Returns whether two runs differ by more than chance, on the images that both were shown.

    The exact form of McNemar's test: of the images that one of them alone recognised, either would
    have half if they were alike (Dietterich 1998, Neural Computation 10(7), section 3.1).
    """
    both = first.right.keys() & other.right.keys()
    if not both:
        return f"{first.name} and {other.name} were judged on different images."
    only_first = sum(first.right[one] and not other.right[one] for one in both)
    only_other = sum(other.right[one] and not first.right[one] for one in both)
    told = (
        f"Of {len(both):,} images that both were shown, {first.name} alone recognises "
        f"{only_first:,}, {other.name} alone {only_other:,}"
    )
    if not only_first + only_other:
        return f"{told}: they do not differ."
    chance = float(scipy.stats.binomtest(only_first, only_first + only_other).pvalue)
    verdict = "more than" if chance < _SELDOM else "no more than"
    return f"{told}: {verdict} chance explains (p = {chance:.2g}, McNemar's exact test)."


def _settings(runs: Sequence[Reported]) -> list[dict[str, Any]]:
    """Returns the settings in which the runs differ."""
    rows = []
    for key in setting_keys(FitConfig):
        values = [run.config.get(key) for run in runs]
        if key not in _PLACES and any(value != values[0] for value in values):
            rows.append({"name": key, "values": ["" if v is None else str(v) for v in values]})
    return rows


def _lines(runs: Sequence[Reported], what: str) -> list[Series]:
    """Returns one line for each run."""
    return [
        Series(
            run.name,
            f"run-{number % _COLOURS}",
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
            x_label="epoch, of all phases",
            series=_lines(runs, what),
            x_range=(0.5, longest + 0.5),
        )
        drawn[name] = chart.draw()
    return drawn


def _classes(runs: Sequence[Reported]) -> list[dict[str, Any]]:
    """Returns the F1 of each class in each run, and by how much they differ."""
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
