import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.folding.each_step import (
    FoldedConvolution,
    fold_batch_norm,
    layers_behind,
    tensor_takers,
)
from tfxfer.models.layers import leaf_layers
from tfxfer.models.weights import load_backbone


def mixed_network():
    """A network with each kind of convolution before BatchNorm, and BatchNorm that must stay."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((8, 8, 3))
    norm = keras.layers.BatchNormalization
    x = norm(name="plain")(keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(x))
    x = keras.layers.ReLU()(x)
    x = norm(scale=False, name="grouped")(keras.layers.Conv2D(4, 1, groups=2, name="groups")(x))
    x = norm(center=False, name="deep")(
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise")(x)
    )
    x = norm(name="apart")(keras.layers.SeparableConv2D(6, 3, strides=2, name="separable")(x))
    y = keras.layers.Conv2D(6, 1, activation="relu", name="active")(x)
    y = norm(name="after_activation")(y)
    z = keras.layers.Conv2D(6, 1, name="shared")(x)
    z = keras.layers.Add()([norm(name="one_of_two")(z), z])
    network = keras.Model(image, keras.layers.Add()([y, z]))
    generator = np.random.default_rng(0)
    for layer in network.layers:
        layer.set_weights(
            [np.abs(generator.normal(1, 0.3, w.shape)).astype("float32") for w in layer.weights]
        )
    return network


IMAGES = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype("float32")


def model_of(network):
    folded = fold_batch_norm(network)
    return keras.Model(folded.input, folded.output)


def agrees(found, expected, tolerance=1e-4):
    """Tells whether two arrays are the same up to a part of the largest number."""
    found, expected = np.array(found, "float32"), np.array(expected, "float32")
    return np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def folded_names(model):
    return {layer.name for layer in model.layers if isinstance(layer, FoldedConvolution)}


def test_folding_gives_the_same_and_leaves_what_it_must():
    network = mixed_network()
    network.trainable = False
    expected = network(IMAGES, training=False)
    folded = model_of(network)
    assert folded_names(folded) == {"plain", "grouped", "deep", "apart"}
    assert agrees(folded(IMAGES, training=False), expected)
    # In training mode too, as the layers are frozen.
    assert agrees(folded(IMAGES, training=True), expected)


def test_the_layers_behind_a_layer_are_found_through_other_operations():
    image = keras.Input((8, 8, 3))
    convolution = keras.layers.Conv2D(2, 1, name="convolution")
    maps = convolution(image)
    pooled = keras.layers.MaxPooling2D(name="pool")(keras.ops.negative(keras.ops.abs(maps)))
    added = keras.layers.Add()([pooled, keras.layers.MaxPooling2D(name="other")(maps)])
    takers = tensor_takers(keras.Model(image, added))
    assert {layer.name for layer in layers_behind(takers, convolution)} == {"pool", "other"}


def test_weights_are_shared_and_none_is_added():
    network = mixed_network()
    folded = model_of(network)
    assert {id(w) for w in folded.weights} == {id(w) for w in network.weights}


def gradients(model, network):
    """Returns the gradients of a number by the network's trainable weights, by path."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.ops.square(model(IMAGES, training=True)))
    weights = network.trainable_weights
    found = tape.gradient(loss, [weight.value for weight in weights])
    return {
        weight.path: np.array(gradient) for weight, gradient in zip(weights, found, strict=True)
    }


def test_kernels_get_the_gradients_that_they_get_without_folding():
    network = mixed_network()
    for layer in network.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    expected, found = gradients(network, network), gradients(model_of(network), network)
    assert len(expected) == 12  # of six convolutions, one without bias, one with two kernels
    for path, gradient in expected.items():
        assert agrees(found[path], gradient, 1e-3), path


def test_batch_norm_that_is_trained_works_by_batch_and_learns():
    network = mixed_network()
    expected = network(IMAGES, training=True)  # which moves the statistics
    network = mixed_network()
    folded = model_of(network)
    before = network.get_layer("plain").get_weights()
    assert agrees(folded(IMAGES, training=True), expected)
    after = network.get_layer("plain").get_weights()
    assert not np.array_equal(before[2], after[2])
    assert set(gradients(folded, network)) == {w.path for w in network.trainable_weights}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_under_mixed_precision_the_weights_are_multiplied_in_float32(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        network = mixed_network()
    finally:
        keras.config.set_dtype_policy(before)
    network.trainable = False
    # A scale that float16 cannot hold, which the kernel makes up for.
    norm, convolution = network.get_layer("plain"), network.get_layer("conv")
    gamma, beta, mean, variance = norm.get_weights()
    norm.set_weights([gamma, beta, mean * 1e-6, variance * 0 + 1e-9])
    convolution.set_weights([convolution.get_weights()[0] * 1e-2])
    folded = model_of(network)
    assert folded.output.dtype == network.output.dtype == policy.removeprefix("mixed_")
    assert np.isfinite(np.array(folded(IMAGES, training=False), "float32")).all()
    assert agrees(folded(IMAGES, training=False), network(IMAGES, training=False), 0.05)


@pytest.mark.parametrize(
    "name",
    [
        SMALL_BACKBONE,
        "resnet10_small",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "resnet50",
                "resnet50v2",
                "vgg16",
                "mobilenetv2",
                "mobilenetv3small",
                "densenet121",
                "efficientnetb0",
                "efficientnet_lite0",
                "efficientnetv2b0",
                "xception",
                "inceptionv3",
                "inceptionresnetv2",
                "nasnetmobile",
                "convnexttiny",
            )
        ),
    ],
)
def test_every_family_computes_the_same_folded(name):
    backbone = BACKBONES[name]
    size = max(64, backbone.min_size)
    keras.utils.set_random_seed(0)
    network = load_backbone(backbone, size, "none")
    generator = np.random.default_rng(0)
    for layer in leaf_layers(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in layer.weights])
    images = generator.normal(size=(2, size, size, 3)).astype("float32")
    network.trainable = False
    assert agrees(model_of(network)(images, training=False), network(images, training=False), 1e-3)
