"""The head on each stage of a backbone."""

import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.decided import DecidedHead, DecidedRun
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.ranking.cross_validation import HeadScores, Labeled, out_of_fold
from tfxfer.ranking.stages import ALL_STAGES, describe_stages, stage_outputs, stage_scores


@pytest.fixture(scope="module")
def classifier(weights_file):
    config = DecidedRun(
        image_size=32, input_size=32, batch_size=4, label_smoothing=0.0, precision="float32"
    )
    head = DecidedHead(epochs=0, dropout=0.0)
    return build_classifier(BACKBONES[SMALL_BACKBONE], config, head, str(weights_file), 3)


def test_the_outputs_are_those_of_the_last_layer_of_each_stage(classifier):
    model, sizes = stage_outputs(classifier)
    assert sizes == {"stem": 16, "block_1": 32, "block_2": 32, "block_3": 64}
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    found = np.asarray(model(images))
    ends = [
        classifier.backbone.get_layer(f"{stage}_relu").output
        for stage in ("stem", "block_1", "block_2", "block_3")
    ]
    maps = keras.Model(classifier.backbone.input, ends)(classifier.entry(images))
    expected = np.concatenate([np.asarray(one).mean(axis=(1, 2)) for one in maps], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[:, -64:], np.asarray(classifier.features(images)), atol=1e-5)


def test_an_early_stage_that_knows_more_is_found():
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 2
    early = generator.normal(size=(120, 4)) + 2 * labels[:, None]
    late = generator.normal(size=(120, 6))
    features = np.concatenate([early, late], axis=1).astype("float32")
    labeled = Labeled(labels, np.arange(120) // 2 % 5, np.arange(120), 2)
    first, last, together = stage_scores(features, {"early": 4, "late": 6}, labeled)
    assert [one.stage for one in (first, last, together)] == ["early", "late", ALL_STAGES]
    assert [one.num_features for one in (first, last, together)] == [4, 6, 10]
    assert first.is_better
    assert together.is_better
    assert not last.is_better
    alone = np.ascontiguousarray(features[:, 4:])
    assert last.accuracy == HeadScores.of(out_of_fold(alone, labeled), labeled).accuracy
    text = "\n".join(describe_stages("vgg16", (first, last, together)))
    assert "vgg16" in text
    assert text.count("better than the last stage") == 2
