"""How deep: the head on the pooled output of each stage of a backbone, and on all together.

Images unlike those of the pretraining can gain from early stages, which the last one has forgotten
(Evci et al. 2022, Head2Toe, arXiv:2201.03529).
"""

from dataclasses import dataclass

import keras
import numpy as np

from tfxfer.models.classifier import Classifier
from tfxfer.ranking.cross_validation import HeadScores, Labeled, is_worse, out_of_fold
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
        accuracy: Cross-validated accuracy of the head.
        interval: 95% interval of the accuracy.
        log_loss: Cross-validated cross-entropy of the head, in nats.
        is_better: Whether it is significantly more accurate than the last stage alone.
    """

    stage: str
    num_features: int
    accuracy: float
    interval: tuple[float, float]
    log_loss: float
    is_better: bool


def stage_outputs(classifier: Classifier) -> tuple[keras.Model, dict[str, int]]:
    """Returns a model from images to the averaged output of each stage, side by side.

    Stages that do not end in a single tensor are left out, as some of NASNet.

    Returns:
        The model, (batch, num_features) float32, and the number of features of each stage, from the
        image to the features.
    """
    names, folded = list(classifier.stages), classifier.folded
    ends = {
        names[place - 1]: folded.outputs[layer]
        for place, stage in enumerate(names)
        if place and (layer := classifier.cuts.get(stage)) is not None
    }
    ends[names[-1]] = folded.output
    pooled = [
        keras.layers.GlobalAveragePooling2D(dtype="float32")(output) for output in ends.values()
    ]
    joined = keras.layers.Concatenate(dtype="float32")(pooled) if len(pooled) > 1 else pooled[0]
    network = keras.Model(folded.input, joined)
    model = keras.Model(classifier.entry.input, network(classifier.entry.output))
    return model, {name: int(one.shape[-1]) for name, one in zip(ends, pooled, strict=True)}


def stage_scores(features: Floats, sizes: dict[str, int], labeled: Labeled) -> list[StageScore]:
    """Returns the scores of the head on each stage, and on all of them.

    Args:
        features: Of all stages side by side, shape (num_examples, num_features).
        sizes: Number of features of each stage, in the same order.
        labeled: Labels and folds.
    """
    ends = np.cumsum(list(sizes.values()))
    parts = {
        name: features[:, end - size : end]
        for (name, size), end in zip(sizes.items(), ends, strict=True)
    }
    *_, last = parts
    parts[ALL_STAGES] = features
    scores = {}
    with Progress("heads on stages", len(parts)) as progress:
        for count, (name, part) in enumerate(parts.items(), start=1):
            rows = np.ascontiguousarray(part)
            scores[name] = HeadScores.of(out_of_fold(rows, labeled), labeled)
            progress.update(count)
    return [
        StageScore(
            name,
            parts[name].shape[1],
            one.accuracy,
            one.interval,
            one.log_loss,
            is_worse(scores[last].is_correct, one.is_correct, labeled.units),
        )
        for name, one in scores.items()
    ]


def describe_stages(backbone: str, stages: tuple[StageScore, ...]) -> list[str]:
    """Returns a line for each stage, and what they say about the depth."""
    lines = [f"The head on the stages of {backbone} (before any fine-tuning):"]
    for one in stages:
        low, high = one.interval
        mark = "  better than the last stage" if one.is_better else ""
        lines.append(
            f"  {one.stage:16s} {one.num_features:6,d} features: accuracy {one.accuracy:.4f} "
            f"({low:.3f} to {high:.3f}){mark}"
        )
    return lines
