"""Backbones adapted to images that are not RGB."""

import dataclasses
import importlib

import keras
import numpy as np
import pytest
from presets import OTHERS, TOKENS

from tfxfer.errors import UsageError
from tfxfer.models.backbones.channels import adapted_kernel, with_channels
from tfxfer.models.backbones.pixels import SCALINGS
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.preprocessing import normalize
from tfxfer.models.presets.families import FAMILIES
from tfxfer.models.presets.plain.cspnet import cspnet
from tfxfer.models.presets.plain.cspnets import CspDesign, Stage
from tfxfer.models.weights import load_backbone, stage_layers

SMALL = BACKBONES["resnet10_small"]
KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 8)).astype("float32")


def noise(*shape):
    return np.random.default_rng(1).uniform(0, 255, shape).astype("float32")


def features(network, backbone, images):
    return np.array(network(normalize(backbone.pixels, images)))


def same_as_repeated(name, size, weights):
    """Returns the largest difference between gray and gray repeated three times, in parts."""
    backbone = BACKBONES[name]
    network = load_backbone(backbone, size, weights)
    gray = noise(2, size, size, 1)
    expected = features(network, backbone, np.repeat(gray, 3, axis=-1))
    adapted = with_channels(network, backbone, 1)
    assert adapted.input_shape == (None, size, size, 1)
    assert [one.name for one in adapted.layers] == [one.name for one in network.layers]
    assert list(stage_layers(adapted, backbone)) == list(backbone.stage_names)
    return np.abs(features(adapted, backbone, gray) - expected).max() / np.abs(expected).max()


def test_the_kernel_of_one_channel_is_the_sum_over_the_colors():
    adapted = adapted_kernel(KERNEL, 1)
    assert adapted.shape == (3, 3, 1, 8)
    assert adapted[:, :, 0] == pytest.approx(KERNEL[:, :, 0] + KERNEL[:, :, 1] + KERNEL[:, :, 2])


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_the_kernels_of_more_channels_are_repeated_in_turn_and_scaled(channels):
    adapted = adapted_kernel(KERNEL, channels)
    assert adapted.shape == (3, 3, channels, 8)
    for channel in range(channels):
        assert adapted[:, :, channel] == pytest.approx(KERNEL[:, :, channel % 3] * 3 / channels)
    # The same of all channels, and of all colors.
    if channels % 3 == 0:
        assert adapted.sum(axis=2) == pytest.approx(KERNEL.sum(axis=2))


def test_a_kernel_of_blue_green_red_is_repeated_as_red_green_blue():
    adapted = adapted_kernel(KERNEL, 4, is_bgr=True) * 4 / 3
    assert adapted == pytest.approx(KERNEL[:, :, [2, 1, 0, 2]])


def test_three_channels_leave_the_network_as_it_is():
    network = load_backbone(SMALL, 32)
    assert with_channels(network, SMALL, 3) is network
    for scaling in SCALINGS.values():
        assert scaling.of_channels(3) is scaling


def test_the_first_convolution_sees_of_gray_what_it_saw_of_gray_repeated():
    network = load_backbone(SMALL, 32)
    gray = noise(4, 32, 32, 1) / 127.5 - 1
    (before,), (after,) = (
        [one for one in model.layers if isinstance(one, keras.layers.Conv2D)][:1]
        for model in (network, with_channels(network, SMALL, 1))
    )
    expected = np.array(before(np.repeat(gray, 3, axis=-1)))
    assert np.array(after(gray)) == pytest.approx(expected, abs=1e-5)


def test_the_bundled_network_gives_gray_the_features_of_gray_repeated():
    assert same_as_repeated("resnet10_small", 64, None) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mobilenet_025", "mobilenetv3small", "efficientnetb0", "efficientnet_lite0"]
)
def test_networks_of_one_scale_give_gray_the_features_of_gray_repeated(name):
    assert same_as_repeated(name, 64, "none") < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "densenet121", "efficientnetv2b0", "convnexttiny"])
def test_networks_of_a_mean_for_each_color_give_gray_nearly_the_same(name):
    # One mean and standard deviation stand for three.
    assert same_as_repeated(name, 64, "none") < 0.2


@pytest.mark.parametrize(
    ("pixels", "channels", "scale", "offset"),
    [
        ("symmetric", 4, 1 / 127.5, -1.0),
        ("caffe", 1, (1.0,), (-(123.68 + 116.779 + 103.939) / 3,)),
        ("caffe", 4, (1.0,) * 4, (-123.68, -116.779, -103.939, -123.68)),
        ("torch", 1, (1 / (255 * 0.226),), (-0.449 / 0.226,)),
        (
            "torch",
            2,
            (1 / (255 * 0.229), 1 / (255 * 0.224)),
            (-0.485 / 0.229, -0.456 / 0.224),
        ),
    ],
)
def test_mean_and_standard_deviation_are_averaged_or_repeated(pixels, channels, scale, offset):
    found = SCALINGS[pixels].of_channels(channels)
    assert found.scale == pytest.approx(scale)
    assert found.offset == pytest.approx(offset)
    assert not found.is_bgr


def test_a_normalization_inside_the_network_is_averaged_or_repeated():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Normalization(mean=[1.0, 2.0, 6.0], variance=[1.0, 4.0, 9.0])(image)
    network = keras.Model(image, keras.layers.Conv2D(2, 3, name="conv")(x))
    kernel = network.get_layer("conv").get_weights()[0]
    one, four = (with_channels(network, SMALL, channels) for channels in (1, 4))
    gray, colors = noise(1, 8, 8, 1), noise(1, 8, 8, 4)
    expected = keras.ops.conv((gray - 3) / 2, adapted_kernel(kernel, 1))
    assert np.array(one(gray)) == pytest.approx(np.array(expected), rel=1e-4)
    normalized = (colors - np.array([1, 2, 6, 1])) / np.array([1, 2, 3, 1])
    expected = keras.ops.conv(normalized.astype("float32"), adapted_kernel(kernel, 4))
    assert np.array(four(colors)) == pytest.approx(np.array(expected), rel=1e-3, abs=1e-3)


def small_network(name):
    """Returns a small network of a preset, or a CSPNet of timm, and the size of its images."""
    if name == "cspnet":
        stages = (Stage(1, 16, grows=True), Stage(1, 32, grows=True))
        return cspnet((33, 33, 3), CspDesign(stages, stem=(8,)), name), 33
    class_name, settings, size = (TOKENS | OTHERS)[name]
    family = FAMILIES[class_name]
    module, builder = family.builder
    build = getattr(importlib.import_module(module), builder)
    return build((size, size, 3), class_name, tuple((family.defaults | settings).items())), size


@pytest.mark.parametrize(
    "name", ["vit", "dinov3", "siglip", "cspnet", pytest.param("swin", marks=pytest.mark.slow)]
)
def test_networks_of_presets_are_adapted_at_their_first_convolution_alone(name):
    network, size = small_network(name)
    gray = noise(2, size, size, 1) / 127.5 - 1
    expected = np.array(network(np.repeat(gray, 3, axis=-1)))
    one, four = (with_channels(network, SMALL, channels) for channels in (1, 4))
    assert np.array(one(gray)) == pytest.approx(expected, abs=1e-4)
    changed = [
        (before, after)
        for before, after in zip(network.get_weights(), four.get_weights(), strict=True)
        if before.shape != after.shape or not np.array_equal(before, after)
    ]
    ((before, after),) = changed
    assert after == pytest.approx(before[:, :, [0, 1, 2, 0]] * 3 / 4)
    # Nothing of the fourth channel is left out.
    colors = noise(1, size, size, 4) / 127.5 - 1
    others = np.concatenate([colors[..., :3], -colors[..., 3:]], axis=-1)
    assert np.abs(np.array(four(colors)) - np.array(four(others))).max() > 1e-4


def test_a_network_that_begins_otherwise_is_refused_by_name():
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, keras.layers.Dense(4)(image))
    odd = dataclasses.replace(SMALL, name="odd")
    with pytest.raises(UsageError, match=r"Backbone 'odd' takes images of three .*mobilenetv2"):
        with_channels(network, odd, 4)
