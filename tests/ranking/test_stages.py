"""The head on each stage of a backbone."""

import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.decided import DecidedHead, DecidedRun
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.ranking.stages import ALL_STAGES, describe_stages, stage_scores, stage_sizes


@pytest.fixture(scope="module")
def classifier(weights_file):
    config = DecidedRun(
        image_size=32, input_size=32, batch_size=4, label_smoothing=0.0, precision="float32"
    )
    head = DecidedHead(epochs=0, dropout=0.0, stages="all")
    return build_classifier(BACKBONES[SMALL_BACKBONE], config, head, str(weights_file), 3)


def test_each_stage_has_as_many_features_as_channels(classifier):
    assert stage_sizes(classifier) == {"stem": 16, "block_1": 32, "block_2": 32, "block_3": 64}
    assert classifier.features.output_shape[-1] == 16 + 32 + 32 + 64


def test_an_early_stage_that_knows_more_is_found():
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 2
    early = generator.normal(size=(120, 4)) + 2 * labels[:, None]
    late = generator.normal(size=(120, 6))
    features = np.concatenate([early, late], axis=1).astype("float32")
    labeled = Labeled(labels, np.arange(120) // 2 % 5, np.arange(120), 2)
    alone = np.ascontiguousarray(features[:, 4:])
    alone = HeadScores.of(out_of_fold(alone, labeled), labeled)
    first, last, together = stage_scores(features, {"early": 4, "late": 6}, labeled, alone)
    assert [one.stage for one in (first, last, together)] == ["early", "late", ALL_STAGES]
    assert [one.num_features for one in (first, last, together)] == [4, 6, 10]
    assert first.is_better
    assert together.is_better
    assert not last.is_better
    assert (last.metric, last.interval) == (alone.metric, alone.interval)
    text = "\n".join(describe_stages("vgg16", (first, last, together)))
    assert "vgg16" in text
    assert text.count("better than the last stage") == 2
    assert "fit --head-stages all" in text
