"""The result of a ranking: what is known of each backbone, and which to take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.config.frame import AnySize
from tfxfer.ranking.candidates import Skipped, describe_skipped
from tfxfer.ranking.judging.metric import ACCURACY, Metric
from tfxfer.ranking.outlook import Outlook
from tfxfer.ranking.stages import StageScore, describe_stages


@dataclass(frozen=True)
class Ranked:
    """A backbone in a ranking.

    Attributes:
        backbone: Its name.
        metric: Cross-validated metric of the head, such as the accuracy; see `Ranking.metric`.
        interval: 95% interval of the metric.
        log_loss: Cross-validated cross-entropy of the head, in nats; of numbers the Huber loss.
        logme: LogME; see `scores.logme`.
        h_score: Shrinkage H-score; see `scores.shrinkage_h_score`. None where an image has no
            class.
        imagenet_top1: Published accuracy of the weights on ImageNet; None where there is none.
        milliseconds: Time per image of the classifier on this machine, one image at a time.
        parameters: Number of parameters of the backbone, without the classifier.
        megabytes: Size of the weights of an export, in float32.
        image_size: Size of the image that the backbone sees, in pixels.
        seconds: How long the backbone took to rank.
        group: From 1; backbones of one group are not significantly worse than its first. 0 before
            the ranking.
        pareto: Whether no other backbone is as accurate and faster, or more accurate and as fast.
    """

    backbone: str
    metric: float
    interval: tuple[float, float]
    log_loss: float
    logme: float
    h_score: float | None
    imagenet_top1: float | None
    milliseconds: float
    parameters: int
    megabytes: float
    image_size: AnySize
    seconds: float
    group: int = 0
    pareto: bool = False

    @property
    def accuracy(self) -> float:
        """The metric, by its name where an image has one class."""
        return self.metric

    def as_json(self, metric: Metric = ACCURACY) -> dict[str, Any]:
        """Returns the backbone as JSON-serializable content, rounded."""
        return _named(vars(self), metric)


@dataclass(frozen=True)
class Ranking:
    """Backbones on a dataset, the best first.

    Attributes:
        data: Name of the dataset.
        num_images: Number of train and validation images.
        num_classes: Number of classes.
        num_folds: Number of folds of the cross-validation.
        seed: Seed of the splits and folds.
        is_limited: Whether only a part of the images was used.
        backbones: The backbones, the best first.
        skipped: Backbones that were not ranked.
        outlook: What more images and pretraining are worth, if it was asked for.
        stages: The head on each stage of the best backbone, if it was asked for.
        fine_tuned: What fine-tuning the first two said, in a sentence; empty if it was not done.
        metric: What the backbones are ranked by.
        labels: What labels the images have, in words such as "3 classes"; empty as by
            `num_classes`.
    """

    data: str
    num_images: int
    num_classes: int
    num_folds: int
    seed: int
    is_limited: bool
    backbones: tuple[Ranked, ...]
    skipped: tuple[Skipped, ...] = ()
    outlook: Outlook | None = None
    stages: tuple[StageScore, ...] = ()
    fine_tuned: str = ""
    metric: Metric = ACCURACY
    labels: str = ""

    @property
    def best(self) -> Ranked:
        """The first backbone."""
        return self.backbones[0]

    @property
    def cheapest(self) -> Ranked:
        """The fastest of the backbones that are not significantly worse than the best."""
        group = [one for one in self.backbones if one.group == 1]
        return min(group, key=lambda one: one.milliseconds)

    @property
    def recommendation(self) -> str:
        """Which backbone to take, in one sentence."""
        best, cheapest = self.best, self.cheapest
        start = f"Take {best.backbone}: {self.metric.name} {self._value(best)}, {_cost(best)}"
        if len(self.backbones) == 1:
            return f"{start}; no other backbone was ranked."
        if cheapest is best:
            others = sum(one.group == 1 for one in self.backbones) - 1
            if others:
                return f"{start}; it is also the fastest of the {others + 1} that are as good."
            return f"{start}; all others are significantly worse."
        return (
            f"{start}; {cheapest.backbone} is not significantly worse and the fastest of those: "
            f"{self.metric.name} {self._value(cheapest)}, {_cost(cheapest)}."
        )

    @property
    def kind_of_labels(self) -> str:
        """What labels the images have, in words."""
        return self.labels or f"{self.num_classes:,} classes"

    def _value(self, one: Ranked) -> str:
        """Returns the metric of a backbone, with its interval."""
        interval = self.metric.interval_shown(one.interval)
        return f"{self.metric.shown(one.metric, 3)} (95% interval {interval})"

    def as_json(self) -> dict[str, Any]:
        """Returns the ranking as JSON-serializable content."""
        return {
            "data": self.data,
            "num_images": self.num_images,
            "num_classes": self.num_classes,
            "labels": self.kind_of_labels,
            "metric": self.metric.key,
            "lower_is_better": self.metric.is_error,
            "num_folds": self.num_folds,
            "seed": self.seed,
            "is_limited": self.is_limited,
            "backbones": [one.as_json(self.metric) for one in self.backbones],
            "recommendation": self.recommendation,
            "skipped": [vars(one) for one in self.skipped],
            "outlook": None if self.outlook is None else self.outlook.as_json(),
            "stages": [_named(vars(one), self.metric) for one in self.stages],
            **({"fine_tuned": self.fine_tuned} if self.fine_tuned else {}),
        }

    def describe(self) -> str:
        """Returns the ranking as a table, with the recommendation below."""
        limited = " (a subset)" if self.is_limited else ""
        lines = [
            f"{self.data}: {self.num_images:,} images of {self.kind_of_labels}{limited}, "
            f"{self.num_folds}-fold cross-validation of the linear head",
            "",
            *table(self.backbones, self.metric),
            "",
            *self.notes(),
            "",
            self.recommendation,
        ]
        if self.outlook is not None:
            lines += ["", *self.outlook.describe(self.best.backbone, self.best.metric)]
        if self.stages:
            lines += ["", *describe_stages(self.best.backbone, self.stages, self.metric)]
        return "\n".join(lines)

    def notes(self) -> list[str]:
        """Returns what the columns mean, and which backbones are missing."""
        has_h_score = all(one.h_score is not None for one in self.backbones)
        evidence = "LogME and H-score" if has_h_score else "LogME"
        notes = [
            f"order: by the sum of two ranks, one by {evidence} and one by ImageNet top-1",
            f"group: {self.metric.name} not significantly worse than that of the first in it",
            "*: on the Pareto front (no other is as accurate and faster)",
        ]
        if any(one.imagenet_top1 is None for one in self.backbones):
            notes.append(
                f"ImageNet top-1 is empty where none is published: ranked by {evidence} only"
            )
        return notes + [f"not ranked: {line}" for line in describe_skipped(self.skipped)]


_WIDTHS = (">5", ">1", "18", ">8", ">15", ">8", ">7", ">7", ">6", ">8", ">10", ">6")


def table(backbones: Sequence[Ranked], metric: Metric = ACCURACY) -> list[str]:
    """Returns a line for each backbone below a line of headings; at most 110 columns.

    A column without values, such as the H-score of labels that are no classes, is left out.
    """
    headings = ("group", "", "backbone", metric.short, "95% interval", metric.loss, "LogME")
    costs = ("H-score", "top-1", "ms/image", "parameters", "MB")
    rows = [_cells(one, metric) for one in backbones]
    columns = [column for column in range(len(_WIDTHS)) if any(row[column] for row in rows)]
    lines = [
        " ".join(f"{row[column]:{_WIDTHS[column]}}" for column in columns)
        for row in [(*headings, *costs), *rows]
    ]
    return [line.rstrip() for line in lines]


def _cells(one: Ranked, metric: Metric) -> tuple[str, ...]:
    """Returns the text of each column."""
    return (
        str(one.group),
        "*" if one.pareto else "",
        one.backbone,
        metric.shown(one.metric),
        metric.interval_shown(one.interval),
        f"{one.log_loss:.4f}",
        f"{one.logme:.3f}",
        "" if one.h_score is None else f"{one.h_score:.3f}",
        "" if one.imagenet_top1 is None else f"{one.imagenet_top1:.1%}",
        f"{one.milliseconds:.1f}",
        f"{one.parameters / 1e6:.1f}M",
        f"{one.megabytes:.1f}",
    )


def _rounded(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns facts with rounded numbers, JSON-serializable."""
    digits = {"milliseconds": 2, "megabytes": 1, "seconds": 1, "imagenet_top1": 3}
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, float):
            found[name] = round(value, digits.get(name, 6))
        else:
            found[name] = [round(one, 6) for one in value] if isinstance(value, tuple) else value
    return found


def _named(content: Mapping[str, Any], metric: Metric) -> dict[str, Any]:
    """Returns facts as JSON-serializable content, the metric and the loss by their names."""
    names = {"metric": metric.key, "log_loss": metric.loss.replace(" ", "_")}
    return _rounded({names.get(key, key): value for key, value in content.items()})


def _cost(one: Ranked) -> str:
    return f"{one.milliseconds:.1f} ms per image"
