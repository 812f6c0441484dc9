"""The report of a run that predicts a number as an HTML page."""

from typing import Any

import numpy as np
from markupsafe import Markup

from tfxfer.data.labels.numbers import readable
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.evaluation.numbers.result import NumberResult
from tfxfer.reporting import charts
from tfxfer.reporting.charts import Chart, Series, nice_ticks
from tfxfer.reporting.html.filling import fill
from tfxfer.reporting.numbers.findings import NumberFindings
from tfxfer.reporting.page import sections
from tfxfer.reporting.thumbnails import data_urls, read_thumbnails, shrunk, with_heat

# Number of the worst predictions, with Grad-CAM.
_NUM_EXPLAINED = 12
_EXPLAINED_SIDE = 176

# Images of up to this side are enlarged without smoothing.
_SMALL_IMAGES = 48

# Points of the scatter plot: more cannot be told apart; and radius of each.
_MOST_POINTS, _RADIUS = 1000, 2.2

# About so many bars of the histogram; errors beyond so many of their median are in the outer bars.
_BARS, _OUTER = 14, 8.0

# With fewer images the report says that the interval is wide.
_FEW_IMAGES = 100


def render(findings: NumberFindings) -> str:
    """Returns the page of a run as self-contained HTML."""
    draw(findings)
    return fill(
        "numbers.html",
        **sections(findings, verdict(findings)),
        small_images=findings.images.frame.longer <= _SMALL_IMAGES,
        target=findings.result.number.name,
        scatter=scatter(findings.result),
        histogram=histogram(findings.result),
        num_points=min(findings.result.num_examples, _MOST_POINTS),
        **findings.drawn,
    )


def draw(findings: NumberFindings) -> None:
    """Draws the images of the page, unless they are drawn."""
    if not findings.drawn:
        findings.drawn.update(_worst(findings))


def verdict(findings: NumberFindings) -> list[str]:
    """Returns sentences on the error, how certain it is, and the baseline."""
    result = findings.result
    low, high = (readable(end) for end in result.intervals["mean_absolute_error"])
    number = result.number
    lines = [
        f"{result.split.capitalize()} mean absolute error {readable(result.mean_absolute_error)} "
        f"({result.num_examples:,} images; 95% interval {low} to {high})."
    ]
    if result.split == "validation":
        lines.append(
            f"There is no test split. The validation images were also used to choose "
            f"{_chosen(findings)}, so this error is slightly optimistic."
        )
    if result.num_examples < _FEW_IMAGES:
        lines.append(f"Fewer than {_FEW_IMAGES} images were evaluated, so the interval is wide.")
    lines.append(
        f"Baseline: always predicting {readable(number.median)}, the median of the training "
        f"images, has an error of {readable(result.baseline_error)}. R² is {result.r2:.3f}."
    )
    return lines


def _chosen(findings: NumberFindings) -> str:
    """Returns what validation has chosen."""
    config, metrics = findings.config, findings.metrics
    if metrics.search is not None:
        return "the configuration and its best epoch"
    is_solved = config.head.epochs > 0 and config.head.optimizer == "lbfgs"
    if not config.finetune.epochs:
        return "the L2 penalty of the head" if is_solved else "the best epoch"
    return "the L2 penalty of the head and the best epoch" if is_solved else "the best epoch"


def scatter(result: NumberResult) -> Markup:
    """Draws predicted by true numbers, with a line where they are equal."""
    chosen = np.linspace(0, result.num_examples - 1, min(result.num_examples, _MOST_POINTS)).round()
    shown = np.unique(chosen.astype(np.int64))
    points = list(zip(result.labels[shown].tolist(), result.predicted[shown].tolist(), strict=True))
    values = [value for point in points for value in point]
    ticks = nice_ticks(min(values), max(values))
    ends = (ticks[0], ticks[-1])
    notes = [f"{readable(true)}, predicted {readable(found)}" for true, found in points]
    found = Series("image", "validation", points, notes, [_RADIUS] * len(points), (), True)
    equal = Series("equal", "ideal", [(end, end) for end in ends], ["", ""])
    return Chart(
        title=f"Predicted by true {result.number.name}",
        x_label=f"true {result.number.name}",
        series=[equal, found],
        y_range=ends,
        x_range=ends,
        x_ticks=ticks,
        height=330,
    ).draw()


def histogram(result: NumberResult) -> Markup:
    """Draws how many images have which error, as bars from the lowest to the highest."""
    edges = _edges(result.errors)
    counts, _ = np.histogram(np.clip(result.errors, edges[0], edges[-1]), edges)
    beyond = [result.errors.min() < edges[0], result.errors.max() > edges[-1]]
    bars, last = [], len(counts) - 1
    for place, count in enumerate(counts.tolist()):
        name = f"{readable(float(edges[place]))} to {readable(float(edges[place + 1]))}"
        if place == 0 and beyond[0]:
            name = f"below {readable(float(edges[1]))}"
        elif place == last and beyond[1]:
            name = f"above {readable(float(edges[-2]))}"
        bars.append((name, count / max(1, counts.max()), f"{count:,}"))
    return charts.bars(bars)


def _edges(errors: np.ndarray) -> np.ndarray:
    """Returns round limits of the bars, ascending."""
    furthest = _OUTER * float(np.median(np.abs(errors)))
    low, high = float(errors.min()), float(errors.max())
    if furthest > 0:
        low, high = max(low, -furthest), min(high, furthest)
    return np.array(nice_ticks(low, high, _BARS))


def _worst(findings: NumberFindings) -> dict[str, Any]:
    """Returns the images with the largest errors, with heat maps for a higher number."""
    explainer = Explainer(findings.model)
    result, numbers = findings.result, findings.worst[:_NUM_EXPLAINED]
    squares = read_thumbnails(findings.images, numbers, findings.images.frame.longer)
    thumbnails = shrunk(squares, _EXPLAINED_SIDE)
    heat: list[str | None] = [None] * len(numbers)
    if explainer.can_explain:
        maps = explainer.heat(squares, np.zeros(len(numbers), np.int64))
        heat = list(data_urls(with_heat(thumbnails, maps)))
    columns = zip(
        numbers.tolist(), findings.short_ids(numbers), data_urls(thumbnails), heat, strict=True
    )
    items = [
        {
            "label": readable(float(result.labels[number])),
            "predicted": readable(float(result.predicted[number])),
            "error": readable(float(result.errors[number])),
            "id": id_,
            "thumbnail": thumbnail,
            "heat": hot,
        }
        for number, id_, thumbnail, hot in columns
    ]
    return {"worst": items, "can_explain": explainer.can_explain}
