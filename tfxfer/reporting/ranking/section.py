"""A ranking of backbones as variables of a template: table, chart and sentences."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from markupsafe import Markup

from tfxfer.data.labels.numbers import readable
from tfxfer.errors import UsageError
from tfxfer.reporting import charts
from tfxfer.reporting.charts import Chart, Series
from tfxfer.system.run_layout import RunDirectory

# Radii of the smallest and of the largest backbone; areas are in proportion to the parameters.
_SMALLEST, _LARGEST = 3.0, 16.0

_HEIGHT = 300


def section_of_run(run: RunDirectory) -> dict[str, Any] | None:
    """Returns the variables for the ranking that chose a run's backbone; None if it was named."""
    if not run.ranking.is_file():
        return None
    try:
        return ranking_section(json.loads(run.ranking.read_text("utf-8")))
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"Cannot read '{run.ranking}': {error}. Delete it.") from None


def ranking_section(ranking: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the variables of `ranking_section.html`.

    Args:
        ranking: Content of `ranking.json`, as `rank` writes it.
    """
    how = _How.of(ranking)
    rows = how.named(ranking["backbones"])
    return {
        "rows": rows,
        "how": how,
        "stages": how.named(ranking["stages"]),
        "facts": ranking,
        "front": _front(rows),
        "chart": _chart(rows, how),
        "curve": _curve(ranking["outlook"] or {}),
        "skipped": ranking["skipped"],
        "has_unknown": any(row["imagenet_top1"] is None for row in rows),
    }


@dataclass(frozen=True)
class _How:
    """How the backbones were judged.

    Attributes:
        key: Of the metric, in each row.
        loss: Of the loss, in each row.
        lower_is_better: Whether the metric is an error in the unit of a target.
        labels: What labels the images have, in words.
    """

    key: str
    loss: str
    lower_is_better: bool
    labels: str

    @classmethod
    def of(cls, ranking: Mapping[str, Any]) -> Self:
        """Returns that of a ranking; earlier ones are all by accuracy."""
        return cls(
            ranking.get("metric", "accuracy"),
            "log_loss" if "log_loss" in ranking["backbones"][0] else "loss",
            bool(ranking.get("lower_is_better")),
            ranking.get("labels") or f"{ranking['num_classes']:,} classes",
        )

    @property
    def metric(self) -> str:
        """The name of the metric in a sentence."""
        return self.key.replace("_", " ")

    def named(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Returns rows whose metric and loss are called so."""
        return [{**row, "metric": row[self.key], "loss": row[self.loss]} for row in rows]

    def shown(self, value: float, digits: int = 4) -> str:
        """Returns a value of the metric as text."""
        return readable(value) if self.lower_is_better else f"{value:.{digits}f}"

    def interval(self, row: Mapping[str, Any]) -> str:
        """Returns the interval of a row as text."""
        low, high = row["interval"]
        return f"{self.shown(low, 3)} to {self.shown(high, 3)}"


def _front(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the backbones on the Pareto front, the fastest first."""
    front = [row for row in rows if row["pareto"]]
    return [row["backbone"] for row in sorted(front, key=lambda row: float(row["milliseconds"]))]


def _chart(rows: Sequence[Mapping[str, Any]], how: _How) -> Markup:
    """Draws the metric by milliseconds, with intervals; the dots' areas are the parameters."""
    most = max(row["parameters"] for row in rows)
    slowest = max(row["milliseconds"] for row in rows)
    front = sorted((r["milliseconds"], r["metric"]) for r in rows if r["pareto"])
    series = [Series("Pareto front", "ideal", front, [""] * len(front))]
    for row in rows:
        style, x = "validation" if row["pareto"] else "rate", row["milliseconds"]
        low, high = row["interval"]
        ends = [(x, low), (x, high)]
        series.append(Series(row["backbone"], f"{style} thin", ends, ["", ""], [0, 0]))
        radius = max(_SMALLEST, _LARGEST * math.sqrt(row["parameters"] / most))
        series.append(
            Series(
                row["backbone"],
                style,
                [(x, row["metric"])],
                [_note(row, how)],
                [radius],
                [row["backbone"]],
            )
        )
    return Chart(
        title=f"{how.metric.capitalize()} of the head by milliseconds per image",
        x_label="milliseconds per image",
        series=series,
        height=_HEIGHT,
        x_range=(0, slowest * 1.08),
        x_ticks=charts.nice_ticks(0, slowest)[:-1],
    ).draw()


def _note(row: Mapping[str, Any], how: _How) -> str:
    """Returns the tooltip of a dot."""
    return (
        f"{row['backbone']}: {how.metric} {how.shown(row['metric'])} ({how.interval(row)}), "
        f"{row['milliseconds']:.1f} ms per image, {row['parameters'] / 1e6:.1f} million parameters"
    )


def _curve(outlook: Mapping[str, Any]) -> Markup | None:
    """Draws the learning curve and its continuation with interval; None if there is none."""
    known, more = outlook.get("learning_curve"), outlook.get("with_more_images")
    if not known or not more:
        return None
    measured = [(one["num_images"], one["accuracy"]) for one in known]
    expected = [(one["num_images"], one["accuracy"]) for one in more]
    intervals = [
        Series(
            "95% interval",
            "train thin",
            [(one["num_images"], end) for end in one["interval"]],
            ["", ""],
            [0, 0],
        )
        for one in more
    ]
    last = more[-1]["num_images"]
    return Chart(
        title="Accuracy of the head by number of training images",
        x_label="training images",
        series=[
            Series("measured", "validation", measured),
            Series("expected", "train", [measured[-1], *expected]),
            *intervals,
        ],
        x_range=(0, last * 1.05),
        x_ticks=charts.nice_ticks(0, last)[:-1],
    ).draw()
