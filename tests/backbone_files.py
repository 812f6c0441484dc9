"""Backbones of random weights and the files that hold them, for the tests of loading."""

import os
import re

import h5py
import keras
import numpy as np
import pytest

from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.weights import load_backbone

MOBILENET = BACKBONES["mobilenet_025"]
XCEPTION = BACKBONES["xception"]
EFFICIENTNET = BACKBONES["efficientnetb0"]
STDDEV = np.array([0.229, 0.224, 0.225])
MEAN = np.array([0.485, 0.456, 0.406])

real_data = pytest.mark.skipif("TFXFER_REAL_DATA" not in os.environ, reason="needs real weights")


def random_backbone(backbone, image_size=None, seed=0):
    """A backbone no two of whose arrays are alike, batch statistics included."""
    model = load_backbone(backbone, image_size or backbone.min_size, weights="none")
    generator = np.random.default_rng(seed)
    model.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in model.weights])
    return model


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
    """Leaves the process-wide counters where other models of the process would."""
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


def message(text):
    return f"^{re.escape(text)}$"


def rewrite_layer_names(path, rename, order=list):
    """Gives the layers of a `.h5` file other names and another order, as other programs may."""
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
