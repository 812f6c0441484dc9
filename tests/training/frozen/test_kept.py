"""Activations that are kept while features are computed."""

import numpy as np
import pytest
from conftest import small_config

from tfxfer.config.schema import FitConfig
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.planning.plan import make_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.session import Session
from tfxfer.training.frozen.kept import KeptActivations
from tfxfer.training.head_phase import train_head
from tfxfer.training.transfer import prepare_fit

PIXELS = np.random.default_rng(0).uniform(0, 255, (4, 64, 64, 3)).astype("float32")
CONFIG = FitConfig(image_size=64, input_size=64).with_settings(
    {"precision": "float32", "head": {"dropout": 0.2}}
)


def classifier_of(backbone, **settings):
    config = CONFIG.with_settings(settings)
    return build_classifier(find_backbone(backbone), config, config.head, "none", num_classes=3)


@pytest.mark.parametrize(
    ("backbone", "stage"),
    [
        ("mobilenetv2_035", "block_13"),
        ("resnet10_small", "conv4"),
        ("efficientnet_lite0", "block4"),
        pytest.param("resnet50", "conv5", marks=pytest.mark.slow),
        pytest.param("densenet121", "conv5", marks=pytest.mark.slow),
    ],
)
def test_one_pass_gives_the_bits_of_two(backbone, stage):
    classifier = classifier_of(backbone)
    random = np.random.default_rng(1)
    weights = classifier.backbone.get_weights()
    classifier.backbone.set_weights([x * random.uniform(0.5, 1.5, x.shape) for x in weights])
    features = classifier.features.predict(PIXELS, verbose=0)
    layer = classifier.frozen_layer(stage)
    both = classifier.features_beside(layer).predict(PIXELS, verbose=0)
    classifier.unfreeze(stage, "frozen")
    halves = classifier.halves()
    assert halves.layer == layer
    np.testing.assert_array_equal(both[0], features)
    np.testing.assert_array_equal(both[1], halves.frozen.predict(PIXELS, verbose=0))
    assert np.ptp(features) > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"finetune": {"unfreeze": "all"}},
        {"finetune": {"unfreeze": "block_13", "epochs": 0}},
        {"head": {"stages": "all"}},
    ],
)
def test_nothing_is_kept_that_no_phase_needs(settings):
    config = CONFIG.with_settings({"finetune": {"unfreeze": "block_13", "epochs": 1}})
    classifier = classifier_of("mobilenetv2_035")
    assert KeptActivations.of(classifier, config, 100) is not None
    changed = config.with_settings(settings)
    classifier = classifier_of("mobilenetv2_035", **settings)
    assert KeptActivations.of(classifier, changed, 100) is None


def test_nothing_is_kept_of_so_many_images_that_it_would_not_show():
    config = CONFIG.with_settings({"finetune": {"unfreeze": "block_13", "epochs": 1}})
    classifier = classifier_of("mobilenetv2_035")
    activations = classifier.folded.outputs[classifier.frozen_layer("block_13")]
    most = 2**28 // (4 * int(np.prod(activations.shape[1:])))
    assert KeptActivations.of(classifier, config, most) is not None
    assert KeptActivations.of(classifier, config, most + 1) is None


def test_validation_passes_the_frozen_half_once(pictures, weights_file, tmp_path):
    finetune = {"epochs": 1, "unfreeze": "block_3"}
    plan = make_plan(
        small_config(pictures, weights_file, tmp_path, finetune=finetune, cache_gigabytes=0)
    )
    classifier = plan.build_classifier(plan.config.weights)
    given = prepare_fit(plan, classifier, Session(Interruptions(), lambda _: None)).materials
    validation, kept = given.images["validation"], given.classifiers.kept
    assert kept.rows(validation) is None
    train_head(given)
    source = given.source(Trainable("block_3", "frozen"))
    found = source.cached("validation").features
    np.testing.assert_array_equal(found, kept.rows(validation))
    pixels = np.array(validation.kept, "float32")
    np.testing.assert_allclose(found, source.halves.frozen.predict(pixels, verbose=0), rtol=1e-5)
    assert kept.rows(given.images["train"]) is None
    # A part that begins elsewhere has activations of its own.
    other = given.source(Trainable("block_2", "frozen")).cached("validation").features
    assert other.shape != found.shape
