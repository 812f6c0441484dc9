"""Opened networks: Keras' own layers, and the numbers of KerasHub's."""

import keras
import numpy as np
import pytest
from presets import NETWORKS, needs_kerashub

from tfxfer.models.presets.blocks.architectures import block_architectures
from tfxfer.models.presets.blocks.opening import opened, opened_network
from tfxfer.models.presets.network import class_network

pytestmark = [pytest.mark.slow, needs_kerashub]

NAMES = ["mobilenet", "hgnet", "hgnet_affine"]


def arguments(name):
    class_name, settings = NETWORKS[name]
    return (64, 64, 3), class_name, tuple(settings.items())


@pytest.mark.parametrize("name", NAMES)
def test_all_layers_are_those_of_keras_with_names_of_their_own(name):
    model = opened_network(*arguments(name))
    kinds = {type(layer).__module__.partition(".")[0] for layer in model.operations}
    assert kinds == {"keras"}
    assert len(model.operations) == len(model.layers)  # each can end a stage
    names = [layer.name for layer in model.layers[1:]]
    assert all(one.startswith(("input_", "block_", "embedder_", "encoder_")) for one in names)
    assert not any(isinstance(layer, keras.layers.Identity) for layer in model.layers)


def test_a_sum_is_named_by_its_block_not_by_the_shortcut():
    """The third stage of this network is as wide as the second: its shortcuts begin there."""
    (settings,) = (
        settings
        for name, _, _, settings, _ in block_architectures()
        if name == "mobilenetv3_small_050"
    )
    model = opened_network((64, 64, 3), "MobileNetBackbone", tuple(settings.items()))
    sums = [one.name for one in model.layers if isinstance(one, keras.layers.Add)]
    blocks = ["1_1", "2_1", "2_2", "3_0", "3_1", "4_1", "4_2"]
    assert sums == [f"block_{block}_bn3_add" for block in blocks]


@pytest.mark.parametrize("name", NAMES)
def test_depthwise_convolutions_have_no_groups(name):
    model = opened_network(*arguments(name))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert "DepthwiseConv2D" in kinds
    assert all(layer.groups == 1 for layer in model.layers if type(layer) is keras.layers.Conv2D)


def test_a_saved_model_differs_by_rounding_only():
    """TensorFlow's optimizer of graphs rounds otherwise; without it there is no difference."""
    import tensorflow as tf

    network = class_network(*arguments("mobilenet"))
    found = opened(network, "found")
    found.take_weights()
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    eager = np.array(found.model(images))
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        graph = tf.function(lambda x: found.model(x, training=False))(images)
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})
    np.testing.assert_array_equal(np.array(graph), eager)
    np.testing.assert_allclose(eager, np.array(network(images)), atol=1e-5)
