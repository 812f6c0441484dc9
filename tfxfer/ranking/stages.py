"""How deep: the head on the pooled output of each stage of a backbone, and on all together.

Images unlike those of the pretraining can gain from early stages, which the last one has forgotten
(Evci et al. 2022, Head2Toe, arXiv:2201.03529).
"""

from dataclasses import dataclass

import numpy as np

from tfxfer.models.classifier import Classifier
from tfxfer.models.heads import STAGE_FEATURES
from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.ranking.judging.metric import ACCURACY, Metric
from tfxfer.system.progress import Progress
from tfxfer.training.examples import Floats

# What the concatenation of all stages is called.
ALL_STAGES = "all stages"


@dataclass(frozen=True)
class StageScore:
    """The head on one stage.

    Attributes:
        stage: Name of the stage; see `ALL_STAGES`.
        num_features: Number of features: the channels of the stage's output.
        metric: Cross-validated metric of the head, such as the accuracy; see `Labeled.metric`.
        interval: 95% interval of the metric.
        log_loss: Cross-validated cross-entropy of the head, in nats.
        is_better: Whether it is significantly better than the last stage alone.
    """

    stage: str
    num_features: int
    metric: float
    interval: tuple[float, float]
    log_loss: float
    is_better: bool


def stage_sizes(classifier: Classifier) -> dict[str, int]:
    """Returns the number of features of each stage that a head reads, in their order.

    Args:
        classifier: A classifier whose head reads them.
    """
    reading, features = classifier.reading, classifier.features
    if not reading.ends:
        return {reading.last: int(features.output_shape[-1])}
    parts = features.get_layer(STAGE_FEATURES).input
    names = [*reading.ends, reading.last]
    return {name: int(part.shape[-1]) for name, part in zip(names, parts, strict=True)}


def stage_scores(
    features: Floats, sizes: dict[str, int], labeled: Labeled, alone: HeadScores
) -> list[StageScore]:
    """Returns the scores of the head on each stage, and on all of them.

    Args:
        features: Of all stages side by side, shape (num_examples, num_features).
        sizes: Number of features of each stage, in the same order.
        labeled: Labels and folds.
        alone: The head on the last stage, as `fit` has it.
    """
    *earlier, last = sizes
    ends = np.cumsum(list(sizes.values()))
    parts = {
        name: features[:, end - sizes[name] : end] for name, end in zip(sizes, ends, strict=True)
    }
    scores = {}
    with Progress("heads on stages", len(parts)) as progress:
        for count, name in enumerate((*earlier, ALL_STAGES), start=1):
            rows = np.ascontiguousarray(parts.get(name, features))
            scores[name] = HeadScores.of(out_of_fold(rows, labeled), labeled)
            progress.update(count)
    together = scores.pop(ALL_STAGES)
    return [
        StageScore(
            name,
            sizes[name] if name in sizes else features.shape[1],
            one.metric,
            one.interval,
            one.log_loss,
            alone.is_worse_than(one, labeled),
        )
        for name, one in (scores | {last: alone, ALL_STAGES: together}).items()
    ]


def describe_stages(
    backbone: str, stages: tuple[StageScore, ...], metric: Metric = ACCURACY
) -> list[str]:
    """Returns a line for each stage, and what they say about the depth."""
    lines = [f"The head on the stages of {backbone} (before any fine-tuning):"]
    for one in stages:
        mark = "  better than the last stage" if one.is_better else ""
        lines.append(
            f"  {one.stage:16s} {one.num_features:6,d} features: {metric.name} "
            f"{metric.shown(one.metric)} ({metric.interval_shown(one.interval)}){mark}"
        )
    if any(one.stage == ALL_STAGES and one.is_better for one in stages):
        lines.append("  `tfxfer fit --head-stages all` trains a head that reads all of them.")
    return lines
