"""What a head reads of several stages, in a saved model, too."""

import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.decided import DecidedHead
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.models.heads import with_features
from tfxfer.models.layers import leaf_layers

SIZE = 128
IMAGES = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3)).astype("float32")
STAGES = ("stem", "block_1", "block_2", "block_3")


def build(stages="all", name=SMALL_BACKBONE, pooling="average", **settings):
    """Returns a classifier whose weights are all random."""
    config = FitConfig(image_size=SIZE, input_size=SIZE, precision="float32")
    config = config.with_settings(settings)
    head = DecidedHead(epochs=0, dropout=0.0, pooling=pooling, stages=stages)
    classifier = build_classifier(BACKBONES[name], config, head, "none", 4)
    generator = np.random.default_rng(1)
    shapes = [weight.shape for weight in classifier.head.get_weights()]
    classifier.head.set_weights([generator.normal(size=shape) for shape in shapes])
    return classifier


def ends_of(classifier):
    """Returns the maps of each stage, of the backbone as it was loaded."""
    layers = [classifier.backbone.get_layer(f"{stage}_relu").output for stage in STAGES]
    maps = keras.Model(classifier.backbone.input, layers)(classifier.entry(IMAGES))
    return [np.asarray(one) for one in maps]


def normalized(rows):
    centered = rows - rows.mean(axis=1, keepdims=True)
    return centered / np.sqrt(np.square(centered).mean(axis=1, keepdims=True) + 1e-6)


POOLS = {
    "average": lambda maps: maps.mean(axis=(1, 2)),
    "max": lambda maps: maps.max(axis=(1, 2)),
    "both": lambda maps: np.concatenate([maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))], axis=1),
}


@pytest.mark.parametrize(
    "pooling",
    ["both", *(pytest.param(name, marks=pytest.mark.slow) for name in ("average", "max"))],
)
def test_the_features_are_the_normalized_pooled_outputs_of_the_stages(pooling):
    classifier = build("stem,block_2", pooling=pooling)
    assert classifier.reading.name == f"{pooling} of stem, block_2, block_3"
    maps = ends_of(classifier)
    parts = [normalized(POOLS[pooling](maps[place])) for place in (0, 2, 3)]
    found = np.asarray(classifier.features(IMAGES))
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_one_stage_is_as_without_the_setting():
    before, classifier = build(None), build("1")
    assert classifier.reading == before.reading
    assert classifier.reading.name == "average"
    names = [layer.name for layer in classifier.model.layers]
    assert not any(name.startswith(("normalized", "stage_features")) for name in names)


def test_the_network_is_called_once():
    classifier = build()
    networks = [layer for layer in classifier.model.layers if layer.name == "small"]
    assert len(networks) == 1
    assert len(networks[0]._inbound_nodes) == 1
    layers = list(leaf_layers(classifier.model))
    assert len({id(layer) for layer in layers}) == len(layers)


@pytest.mark.slow
@pytest.mark.parametrize("views", ["none", "flip"])
def test_a_saved_model_has_the_same_features_and_heat_maps(views, tmp_path):
    classifier = build()
    classifier.with_probabilities(views).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    plain, mirrored = (np.asarray(classifier.model(x)) for x in (IMAGES, IMAGES[:, :, ::-1]))
    logits = plain if views == "none" else (plain + mirrored) / 2
    expected = classifier.objective.activate(logits)
    found = with_features(again)(IMAGES)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    features = np.asarray(classifier.features(IMAGES))
    np.testing.assert_allclose(found["features"], features, rtol=1e-3, atol=1e-3)
    explainer = Explainer(again)
    assert explainer.can_explain
    heat = explainer.heat(IMAGES.astype("uint8"), np.array([0, 1, 2]))
    assert heat.shape == (3, 4, 4)
    assert heat == pytest.approx(heat_of_last_stage(classifier, [0, 1, 2]), abs=1e-3)


def heat_of_last_stage(classifier, classes):
    """Returns Grad-CAM of the last stage by differences of the logits, at each channel."""
    last = ends_of(classifier)[-1].astype("float64")
    features = np.asarray(classifier.features(IMAGES), "float64")
    kernel, _ = classifier.head.get_weights()

    def logits(maps):
        rows = features.copy()
        rows[:, -64:] = normalized(maps.mean(axis=(1, 2)))
        return (rows @ kernel)[np.arange(3), classes]

    step, gradient = 1e-7, np.zeros((3, 64))
    for channel in range(64):
        moved = last.copy()
        moved[..., channel] += step
        gradient[:, channel] = (logits(moved) - logits(last)) / step / 16
    heat = np.maximum((gradient[:, None, None] * last).sum(axis=-1), 0)
    return heat / heat.max(axis=(1, 2), keepdims=True)


@pytest.mark.slow
def test_after_mixed_precision_it_is_float32():
    classifier = build(precision="mixed_bfloat16")
    model, plain = classifier.with_probabilities("flip"), classifier.with_probabilities()
    logits = [np.log(np.asarray(plain(x))) for x in (IMAGES, IMAGES[:, :, ::-1])]
    expected = classifier.objective.activate(np.mean(logits, axis=0))
    assert np.asarray(model(IMAGES)) == pytest.approx(expected, abs=1e-5)
    assert {layer.compute_dtype for layer in model.layers if layer.weights} == {"float32"}


@pytest.mark.slow
@pytest.mark.parametrize("stages", ["all", "2", "cells2"])
def test_stages_that_do_not_end_in_one_tensor_are_refused(stages):
    with pytest.raises(UsageError, match=r"'.*' of this backbone does not end in feature maps"):
        build(stages, "nasnetmobile")
