"""Backbones with random weights and their files, for the tests of loading."""

import dataclasses
import functools
import os

import h5py
import keras
import numpy as np
import pytest

from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.weights import load_backbone

MOBILENET = BACKBONES["mobilenet_025"]
XCEPTION = BACKBONES["xception"]
EFFICIENTNET = BACKBONES["efficientnetb0"]


def small_mobilenet(input_shape):
    """A MobileNet of four blocks with the layer names, types and order of the original."""
    inputs = x = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, 2, "same", use_bias=False, name="conv1")(x)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    x = keras.layers.ReLU(6.0, name="conv1_relu")(x)
    for block in (7, 8, 9, 10):
        x = keras.layers.DepthwiseConv2D(
            3, padding="same", use_bias=False, name=f"conv_dw_{block}"
        )(x)
        x = keras.layers.BatchNormalization(name=f"conv_dw_{block}_bn")(x)
        x = keras.layers.ReLU(6.0, name=f"conv_dw_{block}_relu")(x)
        channels = 8 if block < 10 else 16
        x = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"conv_pw_{block}")(x)
        x = keras.layers.BatchNormalization(name=f"conv_pw_{block}_bn")(x)
        x = keras.layers.ReLU(6.0, name=f"conv_pw_{block}_relu")(x)
    return keras.Model(inputs, x, name="mobilenet_0.25")


def small_xception(input_shape):
    """An Xception with few channels and blocks, and automatic names for its shortcuts."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, 2, use_bias=False, name="block1_conv1")(inputs)
    x = keras.layers.BatchNormalization(name="block1_conv1_bn")(x)
    x = keras.layers.Activation("relu", name="block1_conv1_act")(x)
    for block in (2, 3, 4, 5, 13):
        shortcut = x
        if block != 5:
            shortcut = keras.layers.Conv2D(8, 1, 2, "same", use_bias=False)(x)
            shortcut = keras.layers.BatchNormalization()(shortcut)
        for number in (1, 2):
            name = f"block{block}_sepconv{number}"
            x = keras.layers.Activation("relu", name=f"{name}_act")(x)
            x = keras.layers.SeparableConv2D(8, 3, padding="same", use_bias=False, name=name)(x)
            x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
        if block != 5:
            x = keras.layers.MaxPooling2D(3, 2, "same", name=f"block{block}_pool")(x)
        x = keras.layers.add([x, shortcut])
    x = keras.layers.SeparableConv2D(
        16, 3, use_bias=False, padding="same", name="block14_sepconv1"
    )(x)
    x = keras.layers.BatchNormalization(name="block14_sepconv1_bn")(x)
    x = keras.layers.Activation("relu", name="block14_sepconv1_act")(x)
    return keras.Model(inputs, x, name="xception")


def smaller(backbone, builder, module=__name__, **arguments):
    """Returns a backbone with fewer layers and channels, built in a tenth of the time."""
    return dataclasses.replace(
        backbone, builder=builder, module=module, builder_arguments=tuple(arguments.items())
    )


SMALL_MOBILENET = smaller(MOBILENET, "small_mobilenet")
SMALL_XCEPTION = smaller(XCEPTION, "small_xception")
SMALL_EFFICIENTNET = smaller(
    EFFICIENTNET,
    "EfficientNet",
    "keras.src.applications.efficientnet",
    width_coefficient=0.1,
    depth_coefficient=0.1,
    default_size=224,
    name="efficientnetb0",
    weights_name="efficientnetb0",
    weights=None,
    include_top=False,
)
SMALL_CONVNEXT = smaller(
    BACKBONES["convnexttiny"],
    "ConvNeXt",
    "keras.src.applications.convnext",
    depths=(1, 1, 2, 1),
    projection_dims=(8, 8, 8, 8),
    name="convnext_tiny",
    weights=None,
    include_top=False,
)
STDDEV = np.array([0.229, 0.224, 0.225])
MEAN = np.array([0.485, 0.456, 0.406])

real_data = pytest.mark.skipif("TFXFER_REAL_DATA" not in os.environ, reason="needs real weights")


def random_backbone(backbone, image_size=None, seed=0):
    """Returns a backbone whose arrays all differ, including batch statistics."""
    model = load_backbone(backbone, image_size or backbone.min_size, weights="none")
    generator = np.random.default_rng(seed)
    model.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in model.weights])
    return model


@functools.cache
def shared_backbone(backbone, image_size=None):
    """Likewise, built once, for tests that do not change it."""
    return random_backbone(backbone, image_size)


def nested(backbone_model):
    inputs = keras.Input(backbone_model.input_shape[1:])
    x = keras.layers.GlobalAveragePooling2D()(backbone_model(inputs))
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def flat(backbone_model):
    x = keras.layers.GlobalAveragePooling2D()(backbone_model.output)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(backbone_model.input, keras.layers.Dense(3)(x))


def alone(backbone_model):
    return backbone_model


def save(model, path):
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return str(path)


def use_up_automatic_names():
    """Advances the process-wide name counters as other models would."""
    for _ in range(3):
        keras.layers.Conv2D(1, 1)
        keras.layers.BatchNormalization()
    keras.layers.Add()
    keras.layers.SeparableConv2D(1, 1)


def assert_same_weights(model, expected):
    assert len(model.weights) == len(expected.weights)
    for weight, value in zip(model.weights, expected.get_weights(), strict=True):
        np.testing.assert_array_equal(weight.numpy(), value, err_msg=weight.path)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def rewrite_layer_names(path, rename, order=list):
    """Renames and reorders the layers of a `.h5` file, as other programs may."""
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]
        names = [
            name if isinstance(name, str) else name.decode() for name in group.attrs["layer_names"]
        ]
        for name in names:
            weights = [str(weight) for weight in group[name].attrs["weight_names"]]
            arrays = [group[name][weight][()] for weight in weights]
            del group[name]
            layer = group.create_group(rename(name))
            renamed = [f"{rename(name)}/{weight.rpartition('/')[2]}:0" for weight in weights]
            layer.attrs["weight_names"] = [weight.encode() for weight in renamed]
            for weight, array in zip(renamed, arrays, strict=True):
                layer[weight] = array
        group.attrs["layer_names"] = [rename(name).encode() for name in order(names)]
