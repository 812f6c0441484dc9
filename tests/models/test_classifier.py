import dataclasses

import keras
import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.models.backbones.registry import BACKBONES, find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.models.halves import FrozenLayer
from tfxfer.models.layers import count_parameters, in_float32
from tfxfer.models.losses.cross_entropy import smoothed_cross_entropy
from tfxfer.models.standardization import Standardization

CONFIG = FitConfig(image_size=32, input_size=32).with_settings({"head": {"dropout": 0.2}})
IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")


def build(name="mobilenet_025", policy="float32", **settings):
    config = CONFIG.with_settings({"precision": policy, **settings})
    return build_classifier(find_backbone(name), config, config.head, "none", num_classes=5)


def outputs(model, images):
    """Returns what a model gives, without the seconds that `predict` takes to build a graph."""
    return np.asarray(model(images, training=False))


def batch_norms(classifier):
    layers = classifier.backbone.layers
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def train(classifier, steps=2):
    """Trains with a high rate, so that whatever can move does."""
    model = classifier.halves().whole
    optimizer = keras.optimizers.SGD(0.5, global_clipnorm=1.0)
    # Eagerly: of so few steps, most of the time would go into building the graph.
    model.compile(optimizer, smoothed_cross_entropy(0.0), run_eagerly=True)
    model.fit(IMAGES, np.arange(3), batch_size=3, epochs=steps, verbose=0, shuffle=False)


def values(weights):
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in weights]


def changed(before, weights):
    return [not np.array_equal(old, new) for old, new in zip(before, values(weights), strict=True)]


def test_a_new_classifier_gives_float32_zero_logits():
    logits = outputs(build().model, IMAGES)
    assert logits.dtype == np.float32
    assert np.array_equal(logits, np.zeros((3, 5)))


@pytest.mark.parametrize(
    ("pooling", "num_features"), [("average", 256), ("max", 256), ("both", 512), ("flatten", 1024)]
)
def test_pooling_makes_the_features_it_is_named_for(pooling, num_features):
    classifier = build(image_size=64, input_size=64, head={"pooling": pooling})
    images = np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    maps = outputs(classifier.backbone, images / 127.5 - 1)  # (2, 2, 2, 256)
    expected = {
        "average": maps.mean((1, 2)),
        "max": maps.max((1, 2)),
        "both": np.concatenate([maps.mean((1, 2)), maps.max((1, 2))], axis=1),
        "flatten": maps.reshape(2, -1),
    }[pooling]
    features = outputs(classifier.features, images)
    assert features.shape == (2, num_features)
    assert features == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("batch_norm", ["frozen", "adapt"])
@pytest.mark.parametrize("unfreeze", ["all", "conv4", "none"])
def test_learning_rates_shrink_from_the_head_to_the_first_unfrozen_stage(unfreeze, batch_norm):
    classifier = build("resnet10_small", head={"hidden_units": [8]})
    classifier.unfreeze(unfreeze, batch_norm)
    factors = classifier.rate_factors(unfreeze, 10.0, 0.5)
    all_stages = {0.0625, 0.125, 0.25, 0.5, 1.0}
    expected = {"all": {*all_stages, 10.0}, "conv4": {0.5, 1.0, 10.0}, "none": {10.0}}
    trained = {id(variable): variable for variable in classifier.model.trainable_variables}
    assert {factors.get(key, 1.0) for key in trained} == expected[unfreeze]
    for variable in classifier.head.trainable_variables:
        assert factors[id(variable)] == 10.0
    places = {stage: place for place, stage in enumerate(reversed(classifier.stages))}
    for stage, layers in classifier.stages.items():
        for variable in (one for layer in layers for one in layer.trainable_variables):
            assert factors.get(id(variable), 1.0) == 0.5 ** places[stage]
    assert classifier.rate_factors(unfreeze, 1.0, 1.0) == {}


def test_hidden_layers_have_the_units_asked_for():
    classifier = build(head={"hidden_units": [16, 8]})
    kernels = [weight.shape for weight in classifier.head.weights if len(weight.shape) == 2]
    assert kernels == [(256, 16), (16, 8), (8, 5)]


@pytest.mark.parametrize(
    "name",
    [
        "vgg16",
        "mobilenet_025",
        pytest.param("densenet121", marks=pytest.mark.slow),
        "mobilenetv3small",
    ],
)
def test_the_model_normalizes_as_keras_preprocess_input_does(name):
    backbone = BACKBONES[name]
    module = {
        "vgg16": keras.applications.vgg16,
        "mobilenet_025": keras.applications.mobilenet,
        "densenet121": keras.applications.densenet,
        "mobilenetv3small": keras.applications.mobilenet_v3,
    }[name]
    classifier = build(backbone.name, head={"pooling": "flatten"})
    prepared = module.preprocess_input(IMAGES.copy())
    expected = outputs(classifier.backbone, prepared).reshape(3, -1)
    assert outputs(classifier.features, IMAGES) == pytest.approx(expected, abs=1e-4)


def test_efficientnet_lite_gets_the_pixels_that_google_gives_it():
    classifier = build("efficientnet_lite0", head={"pooling": "flatten"})
    constant = np.full((1, 32, 32, 3), 200.0, "float32")
    for images in (constant, IMAGES):  # github.com/tensorflow/tpu: MEAN_RGB and STDDEV_RGB
        expected = outputs(classifier.backbone, (images - 127.0) / 128.0)
        found = outputs(classifier.features, images)
        assert found == pytest.approx(expected.reshape(found.shape), abs=1e-4)


def test_small_images_are_upsampled_in_the_model():
    classifier = build(input_size=8)
    assert classifier.model.input_shape == (None, 8, 8, 3)
    assert classifier.backbone.input_shape == (None, 32, 32, 3)
    gray = np.full((1, 8, 8, 3), 77.0, "float32")
    large = np.full((1, 32, 32, 3), 77.0, "float32")
    expected = outputs(build().features, large)
    assert outputs(classifier.features, gray) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "unfreeze", "costly"),
    [
        ("mobilenet_025", "none", True),
        ("mobilenet_025", "block_13", True),
        ("mobilenet_025", "all", False),
        ("vgg16", "block5", True),
        pytest.param("mobilenetv2", "block_13", True, marks=pytest.mark.slow),
        pytest.param("resnet50", "conv5", True, marks=pytest.mark.slow),
        pytest.param("efficientnetv2b0", "block6", True, marks=pytest.mark.slow),
        pytest.param("efficientnet_lite0", "block6", True, marks=pytest.mark.slow),
        pytest.param("convnexttiny", "stage3", True, marks=pytest.mark.slow),
        pytest.param("densenet121", "conv5", True, marks=pytest.mark.slow),
        # Each of its cells reads two, so that only its beginning is a cut.
        pytest.param("nasnetmobile", "cells3", False, marks=pytest.mark.slow),
    ],
)
def test_the_halves_are_the_model_cut_where_training_begins(name, unfreeze, costly):
    classifier = build(name)
    classifier.unfreeze(unfreeze, "frozen")
    generator = np.random.default_rng(0)
    for layer in batch_norms(classifier):
        layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
    classifier.head.set_weights([generator.normal(size=w.shape) for w in classifier.head.weights])
    expected = outputs(classifier.model, IMAGES)
    tolerance = 1e-4 * float(np.abs(expected).max())
    halves = classifier.halves()
    assert halves.costly is costly
    logits = outputs(halves.trained, outputs(halves.frozen, IMAGES))
    assert logits == pytest.approx(expected, rel=1e-3, abs=tolerance)
    whole = outputs(halves.whole, IMAGES.astype("float32"))
    assert whole == pytest.approx(expected, rel=1e-3, abs=tolerance)
    trained = {id(weight) for weight in classifier.model.trainable_weights}
    assert {id(weight) for weight in halves.whole.trainable_weights} == trained
    assert {id(weight) for weight in halves.trained.trainable_weights} == trained
    assert not halves.frozen.trainable_weights


def test_the_frozen_half_is_in_inference_mode_while_the_rest_trains():
    classifier = build("efficientnetv2b0")  # with stochastic depth in its blocks
    classifier.unfreeze("top", "frozen")
    halves = classifier.halves()
    layer = next(x for x in halves.whole.layers if isinstance(x, FrozenLayer))
    quiet = np.array(layer(IMAGES, training=False))
    assert np.array_equal(layer(IMAGES, training=True), quiet)


def test_frozen_only_the_head_is_trained():
    classifier = build()
    classifier.freeze()
    assert classifier.num_trainable() == 256 * 5 + 5
    assert classifier.num_parameters() == 218_544 + 256 * 5 + 5
    before = values(classifier.backbone.weights)
    train(classifier)
    assert not any(changed(before, classifier.backbone.weights))


def test_a_new_classifier_is_frozen_so_that_its_batch_norm_is_folded():
    classifier = build()
    assert classifier.num_trainable() == 256 * 5 + 5
    assert batch_norms(classifier)
    assert not any(layer.trainable for layer in batch_norms(classifier))


def with_unit_variance(classifier):
    """Gives BatchNorm the statistics of the images: random networks fade to nothing without."""
    classifier.unfreeze("all", "adapt")
    for layer in batch_norms(classifier):
        layer.momentum = 0.0
    classifier.backbone(IMAGES / 127.5 - 1, training=True)
    return classifier


def test_unfreezing_a_stage_trains_it_and_all_that_follow():
    classifier = with_unit_variance(build())
    stages = list(classifier.stages)
    classifier.unfreeze(stages[-2], "frozen")
    before = {
        stage: [values(layer.weights) for layer in classifier.stages[stage]] for stage in stages
    }
    train(classifier)
    for stage in stages:
        moved = [
            any(changed(old, layer.weights))
            for old, layer in zip(before[stage], classifier.stages[stage], strict=True)
        ]
        assert any(moved) == (stage in stages[-2:]), stage


def test_unfreezing_none_is_freezing():
    classifier = build()
    classifier.unfreeze("all", "adapt")
    classifier.unfreeze("none", "frozen")
    assert classifier.num_trainable() == 256 * 5 + 5


def test_fine_tuning_leaves_batch_norm_untouched_unless_it_is_to_adapt():
    classifier = build()
    classifier.unfreeze("all", "frozen")
    before = [values(layer.weights) for layer in batch_norms(classifier)]
    train(classifier)
    after = [changed(old, new.weights) for old, new in zip(before, batch_norms(classifier))]
    assert not any(any(layer) for layer in after)
    classifier.unfreeze("all", "adapt")
    train(classifier)
    after = [changed(old, new.weights) for old, new in zip(before, batch_norms(classifier))]
    assert all(all(layer) for layer in after)


def test_adapting_statistics_keep_up_with_a_few_steps():
    classifier = build()
    classifier.unfreeze("all", "adapt")
    first = batch_norms(classifier)[0]
    before = values([first.moving_variance])[0]
    inputs = keras.Model(classifier.backbone.input, first.input)(IMAGES)
    variance = np.var(keras.ops.convert_to_numpy(inputs), axis=(0, 1, 2))
    for _ in range(3):
        first(inputs, training=True)
    expected = variance + 0.9**3 * (before - variance)
    assert values([first.moving_variance])[0] == pytest.approx(expected, rel=1e-3)


def test_frozen_batch_norm_stays_frozen_after_saving_and_loading(tmp_path):
    classifier = build()
    classifier.unfreeze("all", "frozen")
    classifier.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    backbone = next(layer for layer in loaded.layers if isinstance(layer, keras.Model))
    norms = [x for x in backbone.layers if isinstance(x, keras.layers.BatchNormalization)]
    before = [values(layer.weights) for layer in norms]
    loaded.compile(keras.optimizers.SGD(0.5), smoothed_cross_entropy(0.0), run_eagerly=True)
    loaded.fit(IMAGES, np.arange(3), verbose=0)
    assert not any(any(changed(old, layer.weights)) for old, layer in zip(before, norms))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_stays_inside_the_backbone_and_out_of_the_saved_model(policy, tmp_path):
    classifier = build(policy=policy)
    assert classifier.backbone.layers[1].compute_dtype == policy.removeprefix("mixed_")
    assert outputs(classifier.model, IMAGES).dtype == np.float32
    assert keras.config.dtype_policy().name == "float32"
    classifier.head.set_weights([w + 0.01 for w in classifier.head.get_weights()])
    model = classifier.with_probabilities()
    twin = build()
    twin.model.set_weights(classifier.model.get_weights())
    expected = outputs(twin.with_probabilities(), IMAGES)
    assert outputs(model, IMAGES) == pytest.approx(expected, abs=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    backbone = next(layer for layer in loaded.layers if isinstance(layer, keras.Model))
    assert {layer.compute_dtype for layer in backbone.layers} == {"float32"}


def test_a_float32_model_is_not_copied():
    model = build().model
    assert in_float32(model) is model


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_float32_copy_of_a_network_with_its_own_normalization_computes_the_same(policy):
    classifier = build("efficientnetb0", policy)
    layer = next(x for x in classifier.backbone.layers if type(x).__name__ == "Normalization")
    layer.set_weights([np.full(3, 0.4), np.full(3, 0.05), np.array(0)])
    layer.finalize_state()
    kernel, bias = classifier.head.get_weights()
    random = np.random.default_rng(0).normal(size=kernel.shape)
    classifier.head.set_weights([random, bias])
    twin = build("efficientnetb0")
    twin.model.set_weights(classifier.model.get_weights())
    for normalization in [x for x in twin.backbone.layers if type(x).__name__ == "Normalization"]:
        normalization.finalize_state()
    copy = in_float32(classifier.model)
    assert outputs(copy, IMAGES) == pytest.approx(outputs(twin.model, IMAGES), rel=1e-4, abs=1e-5)


def test_probabilities_sum_to_one_and_follow_the_logits():
    classifier = build()
    kernel, _ = classifier.head.get_weights()
    classifier.head.set_weights([kernel, np.array([1.0, 2, 3, 4, 5])])
    exponentials = np.exp([1.0, 2, 3, 4, 5])
    probabilities = outputs(classifier.with_probabilities(), IMAGES)
    assert probabilities == pytest.approx(np.tile(exponentials / exponentials.sum(), (3, 1)))


def test_random_weights_depend_on_the_seed_alone():
    first, again, other = build(), build(), build(seed=1)
    assert not any(changed(values(first.model.weights), again.model.weights))
    assert any(changed(values(first.model.weights), other.model.weights))


def test_parameters_are_counted_as_scalars():
    assert count_parameters(keras.layers.Dense(3).weights) == 0
    dense = keras.layers.Dense(3)
    dense.build((None, 4))
    assert count_parameters(dense.weights) == 4 * 3 + 3


@pytest.mark.parametrize("hidden_units", [(), (16,)])
def test_a_head_absorbs_the_scaling_it_was_trained_with(hidden_units):
    classifier = build(head={"hidden_units": hidden_units})
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=w.shape) for w in classifier.head.get_weights()]
    classifier.head.set_weights(weights)
    features = generator.normal(3, 50, (20, 256)).astype("float32")
    scale = Standardization.of(features)
    before = outputs(classifier.head, scale.apply(features))
    classifier.absorb(scale)
    after = outputs(classifier.head, features)
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3)


def test_the_record_of_a_classifier_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        build().head = None
