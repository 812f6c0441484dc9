"""Training curves: charts of loss, accuracy and learning rate by epoch, and of a range test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tfxfer.config.decided import DecidedFit, DecidedTextFit
from tfxfer.reporting import charts
from tfxfer.reporting.charts import Chart, Series
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import BestEpoch
from tfxfer.runs.search.rates import RangeTest

AnyFit = DecidedFit | DecidedTextFit

# The scale is logarithmic if the peak learning rates of the phases differ by a larger factor.
_WIDE_RATES = 50


def curves(
    epochs: Sequence[Epoch], config: AnyFit, best: BestEpoch | None, metric: str = "accuracy"
) -> dict[str, Any]:
    """Draws the charts of loss, accuracy and learning rate over the epochs of all phases.

    Args:
        epochs: Epochs of all phases, in their order.
        config: Settings of the run.
        best: The epoch whose weights were saved.
        metric: What the accuracies of the epochs are.

    Returns:
        Variables of the page's template: "charts" by name (of the learning rate only if there is
        one), their "legend", "has_best" (whether the
        best epoch is marked), and "solved" (whether L-BFGS solved the head).
    """
    at_best = [
        float(number)
        for number, epoch in enumerate(epochs, start=1)
        if best and (epoch.phase, epoch.epoch) == (best.phase, best.epoch) and epoch.is_validated
    ]
    starts = [i for i, epoch in enumerate(epochs) if i == 0 or epochs[i - 1].phase != epoch.phase]
    frame: dict[str, Any] = {
        "x_label": "epoch",
        "x_range": (0.5, len(epochs) + 0.5),
        "marks": [(i + 0.5, epochs[i].phase) for i in starts],
        "best": at_best[0] if at_best else None,
    }
    drawn = {}
    for what in ("loss", "accuracy"):
        name = metric if what == "accuracy" else what
        is_validated = all(epoch.is_validated for epoch in epochs)
        splits = ("train", "validation") if is_validated else ("train",)
        lines = [_line(epochs, split, what, name) for split in splits]
        drawn[name] = Chart(title=f"{name} by epoch", series=lines, **frame)
    if not all(math.isnan(rate) for _, rate in _rates(epochs, config)):
        drawn["learning rate"] = _rate_chart(epochs, config, frame)
    return {
        "charts": {name: chart.draw() for name, chart in drawn.items()},
        "legend": charts.legend(drawn["loss"].series),
        "has_best": bool(at_best),
        "solved": config.head.epochs > 0 and config.head.optimizer == "lbfgs",
    }


def _line(epochs: Sequence[Epoch], split: str, what: str, name: str) -> Series:
    """Returns the series of a split's loss or accuracy, by the name that is shown."""
    values = [getattr(epoch, f"{split}_{what}") for epoch in epochs]
    return Series(
        split,
        split,
        list(enumerate(values, start=1)),
        [
            f"{epoch.phase} epoch {epoch.epoch}: {split} {name} {value:.4f}"
            for epoch, value in zip(epochs, values, strict=True)
        ],
    )


def _rate_chart(epochs: Sequence[Epoch], config: AnyFit, frame: dict[str, Any]) -> Chart:
    """Returns the chart of the learning rate."""
    rates = _rates(epochs, config)
    peaks = [
        max(rate for (_, rate), epoch in zip(rates, epochs, strict=True) if epoch.phase == phase)
        for phase in dict.fromkeys(epoch.phase for epoch in epochs)
    ]
    known = [peak for peak in peaks if peak > 0]  # L-BFGS has no learning rate
    notes = [f"{one.phase} epoch {one.epoch}: {one.learning_rate:.3g}" for one in epochs]
    return Chart(
        title="learning rate by epoch",
        series=[Series("learning rate", "rate", rates, notes)],
        logarithmic=bool(known) and max(known) > _WIDE_RATES * min(known),
        height=150,
        **frame,
    )


def _rates(epochs: Sequence[Epoch], config: AnyFit) -> list[charts.Point]:
    """Returns the learning rate after each epoch; NaN for L-BFGS, which has none."""
    solved = config.head.optimizer == "lbfgs"
    return [
        (number, math.nan if solved and epoch.phase == "head" else epoch.learning_rate)
        for number, epoch in enumerate(epochs, start=1)
    ]


@dataclass(frozen=True)
class RangeTestSection:
    """What the report shows of a range test.

    Attributes:
        chart: Losses by learning rate.
        legend: Names of its lines.
        sentence: What was found.
    """

    chart: Markup
    legend: Markup
    sentence: str


def range_test(test: RangeTest | None, current: float) -> RangeTestSection | None:
    """Returns the section on a range test; None if there was none.

    Args:
        test: The test.
        current: The learning rate of the fit.
    """
    if test is None:
        return None
    powers = [math.log10(rate) for rate in test.rates]
    lines = [
        Series(name, style, list(zip(powers, values, strict=True)))
        for name, style, values in (
            ("loss of each batch", "train", test.losses),
            ("smoothed", "validation", test.smoothed),
        )
    ]
    marks = [(math.log10(test.suggested), "suggested")] if test.suggested else []
    chart = Chart(
        title="loss by learning rate",
        x_label="learning rate, as a power of ten",
        series=lines,
        marks=marks,
        x_range=(powers[0], max(powers[-1], powers[0] + 1)),
    )
    return RangeTestSection(chart.draw(), charts.legend(lines), test.sentence(current))
