"""A network computes the same with folded weights, and has fewer of them."""

import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.folding.once import folded_once
from tfxfer.models.weights import load_backbone

IMAGES = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype("float32")


def given_weights(model, seed=0):
    """Returns a model with random positive weights, as variances must be."""
    generator = np.random.default_rng(seed)
    shapes = [weight.shape for weight in model.weights]
    model.set_weights([np.abs(generator.normal(1, 0.3, s)).astype("float32") for s in shapes])
    return model


def block(x, convolution):
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(convolution(x)))


def network():
    """A network with each kind of convolution before BatchNorm."""
    image = keras.Input((8, 8, 3))
    x = block(image, keras.layers.Conv2D(4, 3, use_bias=False))
    x = block(x, keras.layers.Conv2D(4, 1, groups=2))
    x = block(x, keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"))
    x = block(x, keras.layers.SeparableConv2D(6, 3, strides=2))
    return given_weights(keras.Model(image, x))


def agrees(model, folded):
    expected = np.array(model(IMAGES, training=False))
    found = np.array(folded(IMAGES, training=False))
    return np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_nested_networks_are_folded_once_and_left_as_they_were():
    inner = network()
    image = keras.Input((8, 8, 3))
    both = inner(image) + inner(keras.ops.flip(image, axis=2))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(both))
    before = [weight.path for weight in model.weights]
    folded, variables = folded_once(model)
    assert agrees(model, folded)
    # Kernel and bias of four convolutions, one of them with two kernels, and of the last.
    assert len(variables) == 4 * 2 + 1 + 2
    assert [weight.path for weight in model.weights] == before
    inner.layers[1].kernel.assign(inner.layers[1].kernel * 2)
    assert not agrees(model, folded)  # they are copies


def test_batch_norm_that_learned_is_folded_too():
    model = network()
    model.trainable = True
    folded, variables = folded_once(model)
    assert agrees(model, folded)
    assert len(variables) == 9


def test_a_convolution_that_is_called_twice_stays():
    image = keras.Input((8, 8, 3))
    convolution, norm = keras.layers.Conv2D(3, 1), keras.layers.BatchNormalization()
    first = norm(convolution(image))
    model = given_weights(keras.Model(image, first + convolution(keras.ops.tanh(first))))
    folded, variables = folded_once(model)
    assert folded is model
    assert len(variables) == len(model.variables)


@pytest.mark.parametrize("activation", ["relu", None])
def test_what_is_no_network_of_layers_stays(activation):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1), keras.layers.BatchNormalization()]
    )
    image = keras.Input((8, 8, 3))
    whole = keras.Model(image, keras.layers.Activation(activation or "linear")(model(image)))
    folded, variables = folded_once(whole)
    assert folded is whole
    assert len(variables) == 6


def test_a_backbone_keeps_its_features():
    backbone = given_weights(load_backbone(BACKBONES[SMALL_BACKBONE], 32, "none"))
    folded, variables = folded_once(backbone)
    assert len(variables) < len(backbone.variables) / 2
    images = np.random.default_rng(0).uniform(0, 1, (2, 32, 32, 3)).astype("float32")
    expected = np.array(backbone(images, training=False))
    found = np.array(folded(images, training=False))
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
