"""The halves of a classifier whose head reads several stages."""

import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.decided import DecidedHead
from tfxfer.config.schema import FitConfig
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype("float32")


def build(name, stages, precision="float32"):
    config = FitConfig(image_size=64, input_size=64, precision=precision)
    head = DecidedHead(epochs=0, dropout=0.0, stages=stages)
    classifier = build_classifier(BACKBONES[name], config, head, "none", 5)
    generator = np.random.default_rng(0)
    for layer in classifier.backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, one.shape) for one in layer.weights])
    classifier.head.set_weights([generator.normal(size=w.shape) for w in classifier.head.weights])
    return classifier


@pytest.mark.parametrize(
    ("name", "stages", "unfreeze"),
    [
        pytest.param(SMALL_BACKBONE, "all", "none", marks=pytest.mark.slow),
        pytest.param(SMALL_BACKBONE, "all", "stem", marks=pytest.mark.slow),
        (SMALL_BACKBONE, "all", "block_2"),
        pytest.param(SMALL_BACKBONE, "block_1", "block_1", marks=pytest.mark.slow),
        pytest.param(SMALL_BACKBONE, "2", "block_3", marks=pytest.mark.slow),
        pytest.param("mobilenet_025", "all", "block_12", marks=pytest.mark.slow),
        pytest.param("mobilenetv2_035", "5", "block_13", marks=pytest.mark.slow),
        pytest.param("resnet50v2", "all", "conv5", marks=pytest.mark.slow),
        pytest.param("efficientnetv2b0", "all", "block6", marks=pytest.mark.slow),
        pytest.param("convnexttiny", "all", "stage3", marks=pytest.mark.slow),
    ],
)
def test_the_halves_are_the_model_cut_where_training_begins(name, stages, unfreeze):
    classifier = build(name, stages)
    classifier.unfreeze(unfreeze, "frozen")
    expected = np.asarray(classifier.model(IMAGES))
    tolerance = 1e-3 * float(np.abs(expected).max())
    halves = classifier.halves()
    found = np.asarray(halves.trained(np.asarray(halves.frozen(IMAGES))))
    assert found == pytest.approx(expected, rel=1e-3, abs=tolerance)
    assert np.asarray(halves.whole(IMAGES)) == pytest.approx(expected, rel=1e-3, abs=tolerance)
    trained = {id(weight) for weight in classifier.model.trainable_weights}
    assert {id(weight) for weight in halves.whole.trainable_weights} == trained
    assert {id(weight) for weight in halves.trained.trainable_weights} == trained
    assert not halves.frozen.trainable_weights


@pytest.mark.slow
def test_in_mixed_precision_the_halves_are_the_model_too():
    classifier = build(SMALL_BACKBONE, "all", "mixed_bfloat16")
    classifier.unfreeze("block_2", "frozen")
    halves = classifier.halves()
    found = np.asarray(halves.trained(halves.frozen(IMAGES)))
    assert found == pytest.approx(np.asarray(classifier.model(IMAGES)), rel=0.05, abs=0.2)
    whole = np.asarray(halves.whole(IMAGES))
    assert whole == pytest.approx(found, abs=1e-3)
