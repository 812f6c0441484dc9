import dataclasses
import hashlib
import http.server
import os
import pathlib
import re
import socket
import threading
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest

import tfxfer.weights
from tfxfer.backbones import BACKBONES, find_backbone
from tfxfer.errors import RunError, UsageError, WeightsError
from tfxfer.weights import load_backbone, stage_layers

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


# What is asked for


def test_none_gives_random_weights_of_the_right_shape():
    model = load_backbone(MOBILENET, 64, weights="none")
    assert model.input_shape == (None, 64, 64, 3)
    assert model.input.dtype == "float32"
    assert model.output_shape == (None, 2, 2, 256)
    other = load_backbone(MOBILENET, 64, weights="none")
    assert not np.array_equal(model.get_weights()[0], other.get_weights()[0])


def test_images_below_the_least_size_are_refused():
    expected = "Backbone 'xception' needs images of at least 71 pixels; received 70."
    with pytest.raises(UsageError, match=message(expected)):
        load_backbone(XCEPTION, 70, weights="none")


def test_a_misspelt_word_gets_the_right_one():
    expected = (
        "Unknown weights 'imagnet'. Did you mean 'imagenet'? They are 'imagenet', 'none' or the "
        "path of a .h5, .weights.h5 or .keras file."
    )
    with pytest.raises(UsageError, match=message(expected)):
        load_backbone(MOBILENET, 32, weights="imagnet")


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = str(tmp_path / "lost.weights.h5")
    with pytest.raises(UsageError, match=message(f"There is no weights file '{path}'.")):
        load_backbone(MOBILENET, 32, weights=path)


@pytest.mark.parametrize("name", ["model.pt", "folder.keras"])
def test_what_is_no_weights_file_is_refused(tmp_path, name):
    path = tmp_path / name
    path.mkdir() if name.startswith("folder") else path.touch()
    expected = f"Cannot load weights from '{path}': it must be a .h5, .weights.h5 or .keras file."
    with pytest.raises(UsageError, match=message(expected)):
        load_backbone(MOBILENET, 32, weights=str(path))


# A user's file


@pytest.mark.parametrize("holder", [alone, nested, flat])
@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_a_backbone_is_found_in_any_file(tmp_path, name, holder):
    original = random_backbone(MOBILENET)
    path = save(holder(original), tmp_path / name)
    assert_same_weights(load_backbone(MOBILENET, 48, path), original)


@pytest.mark.parametrize(
    ("name", "holder"),
    [
        ("a.h5", nested),
        ("a.weights.h5", alone),
        slow("a.h5", alone),
        slow("a.weights.h5", nested),
    ],
)
def test_layers_within_layers_are_found(tmp_path, name, holder):
    convnext = BACKBONES["convnexttiny"]
    original = random_backbone(convnext)
    path = save(holder(original), tmp_path / name)
    assert_same_weights(load_backbone(convnext, 32, path), original)


@pytest.mark.parametrize(
    ("name", "holder"),
    [
        ("a.h5", nested),
        ("a.weights.h5", flat),
        ("a.keras", alone),
        *(slow("a.h5", alone), slow("a.h5", flat)),
        *(slow("a.weights.h5", alone), slow("a.weights.h5", nested)),
        *(slow("a.keras", nested), slow("a.keras", flat)),
    ],
)
def test_automatic_names_need_not_be_the_same(tmp_path, name, holder):
    original = random_backbone(XCEPTION)
    path = save(holder(original), tmp_path / name)
    use_up_automatic_names()
    assert_same_weights(load_backbone(XCEPTION, 71, path), original)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5"])
@pytest.mark.parametrize(
    "backbone", ["inceptionv3", "inceptionresnetv2", "nasnetmobile", "resnet50", "mobilenetv3small"]
)
def test_larger_networks_are_found_too(tmp_path, backbone, name):
    original = random_backbone(BACKBONES[backbone])
    path = save(nested(original), tmp_path / name)
    use_up_automatic_names()
    assert_same_weights(load_backbone(BACKBONES[backbone], 96, path), original)


@pytest.mark.parametrize("frozen", ["some", slow("all")])
def test_frozen_layers_change_the_order_in_a_file_but_not_the_weights(tmp_path, frozen):
    original = random_backbone(XCEPTION)
    for layer in original.layers[: 40 if frozen == "some" else None]:
        layer.trainable = False
    path = save(nested(original), tmp_path / "a.h5")
    loaded = load_backbone(XCEPTION, 71, path)
    original.trainable = True  # which puts its weights in their first order again
    assert_same_weights(loaded, original)


def test_weights_without_a_model_around_them_are_found(tmp_path):
    original = random_backbone(MOBILENET)
    whole = save(original, tmp_path / "whole.h5")
    bare = tmp_path / "bare.h5"
    with h5py.File(whole) as source, h5py.File(bare, "w") as target:
        for name in source["model_weights"]:
            source.copy(source["model_weights"][name], target, name=name)
        target.attrs.update(source["model_weights"].attrs)
    assert_same_weights(load_backbone(MOBILENET, 32, str(bare)), original)


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


def test_a_file_with_slashes_in_its_layer_names_is_read(tmp_path):
    original = random_backbone(MOBILENET)
    path = save(original, tmp_path / "a.h5")
    rewrite_layer_names(path, lambda name: name.replace("conv_", "conv/"))
    assert_same_weights(load_backbone(MOBILENET, 32, path), original)


def test_a_list_of_names_too_long_for_one_attribute_is_read(tmp_path):
    original = random_backbone(MOBILENET)
    path = save(original, tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights"].attrs
        names = attributes["layer_names"]
        del attributes["layer_names"]
        attributes["layer_names0"], attributes["layer_names1"] = names[:10], names[10:]
    assert_same_weights(load_backbone(MOBILENET, 32, path), original)


def test_layers_in_another_order_are_told_apart_by_name(tmp_path):
    # conv_pw_7 to conv_pw_11 have equal shapes: by order alone they would be exchanged.
    original = random_backbone(MOBILENET)
    path = save(original, tmp_path / "a.h5")
    rewrite_layer_names(path, lambda name: name, order=lambda names: names[::-1])
    assert_same_weights(load_backbone(MOBILENET, 32, path), original)


def test_automatic_names_are_ordered_by_number(tmp_path):
    original = random_backbone(XCEPTION)
    path = save(original, tmp_path / "a.h5")
    first = min(
        int(layer.name.partition("_")[2] or 0)
        for layer in original.layers
        if layer.name.startswith("conv2d")
    )

    def from_eight(name):
        stem, _, number = name.partition("_")
        return f"conv2d_{int(number or 0) - first + 8}" if stem == "conv2d" else name

    rewrite_layer_names(path, from_eight, order=lambda names: names[::-1])
    assert_same_weights(load_backbone(XCEPTION, 71, path), original)


def test_exchanged_layers_of_equal_shape_do_not_slip_through(tmp_path):
    path = save(random_backbone(MOBILENET), tmp_path / "a.weights.h5")
    with h5py.File(path, "r+") as file:
        names = {
            file[f"layers/{name}/vars"].attrs["name"]: name
            for name in file["layers"]
            if "vars" in file[f"layers/{name}"]
        }
        first, second = names["conv_pw_8"], names["conv_pw_9"]
        file.move(f"layers/{first}", "layers/kept")
        file.move(f"layers/{second}", f"layers/{first}")
        file.move("layers/kept", f"layers/{second}")
    with pytest.raises(WeightsError, match="layer 'conv_pw_9' is where 'conv_pw_8' should be"):
        load_backbone(MOBILENET, 32, path)


def test_files_of_the_first_keras_3_and_of_keras_2_13_are_read(tmp_path):
    original = random_backbone(MOBILENET)
    path = save(original, tmp_path / "a.weights.h5")
    with h5py.File(path, "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
        for group in file["_layer_checkpoint_dependencies"].values():
            if "vars" in group:
                group["vars"].attrs.pop("name", None)
    assert_same_weights(load_backbone(MOBILENET, 32, path), original)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5"])
def test_the_dtype_policy_does_not_matter(tmp_path, name, policy):
    original = random_backbone(MOBILENET)
    path = save(original, tmp_path / name)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        loaded = load_backbone(MOBILENET, 32, path)
        again = load_backbone(MOBILENET, 32, save(loaded, tmp_path / f"again_{name}"))
    finally:
        keras.config.set_dtype_policy(before)
    tolerance = 2**-8 if policy == "bfloat16" else 0  # half a step of an eight-bit mantissa
    for weight, value in zip(loaded.weights, original.get_weights(), strict=True):
        assert weight.dtype == ("bfloat16" if policy == "bfloat16" else "float32")
        np.testing.assert_allclose(weight.numpy().astype("float32"), value, rtol=tolerance)
    assert_same_weights(again, loaded)


# Files that do not fit


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_weights_of_another_width_are_refused_with_the_first_mismatch(tmp_path, name):
    path = save(nested(random_backbone(MOBILENET)), tmp_path / name)
    expected = (
        f"The weights in '{path}' do not fit backbone 'mobilenet_050': layer 'conv1' has shape "
        "(3, 3, 3, 16), in the file (3, 3, 3, 8)."
    )
    with pytest.raises(WeightsError, match=message(expected)):
        load_backbone(BACKBONES["mobilenet_050"], 32, path)


def test_the_mismatch_is_the_nested_networks_not_its_surroundings(tmp_path):
    inputs = keras.Input((32, 32, 3))
    outputs = random_backbone(MOBILENET)(keras.layers.Conv2D(3, 1)(inputs))
    path = save(keras.Model(inputs, outputs), tmp_path / "a.weights.h5")
    expected = "layer 'conv1' has shape (3, 3, 3, 16), in the file (3, 3, 3, 8)."
    with pytest.raises(WeightsError, match=re.escape(expected)):
        load_backbone(BACKBONES["mobilenet_050"], 32, path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.h5", "the backbone has layer 'block1_conv1', the file none"),
        (
            "a.weights.h5",
            "layer 'block1_conv1' has shape (3, 3, 3, 64), in the file (3, 3, 3, 8)",
        ),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, name, problem):
    path = save(random_backbone(MOBILENET), tmp_path / name)
    expected = f"The weights in '{path}' do not fit backbone 'vgg16': {problem}."
    with pytest.raises(WeightsError, match=message(expected)):
        load_backbone(BACKBONES["vgg16"], 32, path)


def test_a_network_with_layers_left_out_is_refused(tmp_path):
    original = random_backbone(XCEPTION)
    part = keras.Model(original.input, original.get_layer("block5_sepconv1").output)
    for name, problem in (
        ("a.weights.h5", "it holds nothing for layer 'block5_sepconv1_bn'"),
        ("a.h5", "the backbone has layer 'block5_sepconv1_bn', the file none"),
    ):
        with pytest.raises(WeightsError, match=re.escape(problem)):
            load_backbone(XCEPTION, 71, save(part, tmp_path / name))


def test_too_few_layers_with_automatic_names_are_refused(tmp_path):
    path = save(random_backbone(XCEPTION), tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights"].attrs
        names = [str(name) for name in attributes["layer_names"]]
        last = max(name for name in names if name.startswith("conv2d"))
        attributes["layer_names"] = [name for name in names if name != last]
    with pytest.raises(
        WeightsError, match=r"the backbone has 4 layers like 'conv2d.*', the file 3"
    ):
        load_backbone(XCEPTION, 71, path)


def test_a_layer_without_its_bias_is_refused(tmp_path):
    vgg = BACKBONES["vgg16"]
    path = save(random_backbone(vgg), tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights/block1_conv1"].attrs
        attributes["weight_names"] = attributes["weight_names"][:1]
    with pytest.raises(WeightsError, match="layer 'block1_conv1' has 2 arrays, in the file 1"):
        load_backbone(vgg, 32, path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.h5", "it is not clear which of its layers 'conv1' is the backbone's"),
        ("a.weights.h5", "it holds 2 networks that do"),
    ],
)
def test_a_file_with_two_such_networks_is_refused(tmp_path, name, problem):
    inputs = keras.Input((32, 32, 3))
    twins = [random_backbone(MOBILENET, 32, seed) for seed in (0, 1)]
    twins[1].name = "second"
    both = keras.layers.Add()([twin(inputs) for twin in twins])
    path = save(keras.Model(inputs, both), tmp_path / name)
    with pytest.raises(WeightsError, match=re.escape(problem)):
        load_backbone(MOBILENET, 32, path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.h5", "it is not clear which of its layers 'normalization"),
        ("a.weights.h5", "it is not clear which of its layers 'layers/normalization' is"),
    ],
)
def test_a_second_normalization_of_the_same_shape_is_not_taken_for_the_first(
    tmp_path, name, problem
):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Normalization()(inputs)
    model = keras.applications.EfficientNetB0(include_top=False, weights=None, input_tensor=x)
    path = save(model, tmp_path / name)
    with pytest.raises(WeightsError, match=re.escape(problem)):
        load_backbone(EFFICIENTNET, 32, path)


def test_a_head_alone_is_no_backbone(tmp_path):
    inputs = keras.Input((256,))
    path = save(keras.Model(inputs, keras.layers.Dense(3)(inputs)), tmp_path / "a.weights.h5")
    with pytest.raises(WeightsError, match="it holds no 'layers/conv2d/vars/0'"):
        load_backbone(MOBILENET, 32, path)


# Files that are damaged, or worse


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    path = tmp_path / name
    save(random_backbone(MOBILENET), path)
    content = path.read_bytes()
    damaged = {"truncated": content[: len(content) // 2], "empty": b"", "text": b"<html>\n"}
    path.write_bytes(damaged[damage])
    expected = f"Cannot load weights of 'mobilenet_025' from '{path}': the file is damaged, or is "
    with pytest.raises(WeightsError, match=re.escape(expected)) as raised:
        load_backbone(MOBILENET, 32, str(path))
    assert str(raised.value).endswith("Fetch or save it again.")
    assert "\n" not in str(raised.value)


def test_a_keras_file_without_weights_is_named(tmp_path):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(WeightsError, match=r"no item named 'model\.weights\.h5' in the"):
        load_backbone(MOBILENET, 32, str(path))


def test_the_model_in_a_file_is_not_read_only_its_numbers(tmp_path):
    original = random_backbone(MOBILENET)
    save(original, tmp_path / "good.keras")
    with (
        zipfile.ZipFile(tmp_path / "good.keras") as good,
        zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad,
    ):
        bad.writestr("config.json", '{"class_name": "Lambda", "config": "not even valid"')
        bad.writestr("model.weights.h5", good.read("model.weights.h5"))
    loaded = load_backbone(MOBILENET, 32, str(tmp_path / "bad.keras"))
    assert_same_weights(loaded, original)


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5"])
@pytest.mark.parametrize("kind", ["link", "external values"])
def test_nothing_is_read_from_other_files(tmp_path, name, kind):
    secret = save(random_backbone(MOBILENET), tmp_path / f"secret_{name}")
    key = "layers/conv2d/vars/0" if "weights" in name else "model_weights/conv1/conv1/kernel"
    path = save(random_backbone(MOBILENET), tmp_path / name)
    with h5py.File(path, "r+") as file:
        shape = file[key].shape
        del file[key]
        if kind == "link":
            file[key] = h5py.ExternalLink(secret, key)
        else:
            outside = [(secret, 0, h5py.h5f.UNLIMITED)]
            file.create_dataset(key, shape, dtype="float32", external=outside)
    with pytest.raises(WeightsError, match=r"damaged|holds nothing|holds no"):
        load_backbone(MOBILENET, 32, path)


# EfficientNet


def first_layers(model, image):
    """What an EfficientNet makes of an image before its first convolution."""
    start = keras.Model(model.input, model.get_layer("stem_conv_pad").input)
    return start(image[None]).numpy()[0]


def efficientnet_with(mean, variance):
    model = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    layer = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    layer.set_weights([mean, variance, np.array(0)])
    layer.finalize_state()
    return model


@pytest.mark.parametrize("name", ["a.h5", slow("a.weights.h5")])
def test_efficientnet_divides_by_the_standard_deviation_the_published_file_has(tmp_path, name):
    image = np.random.default_rng(0).uniform(0, 255, (32, 32, 3)).astype("float32")
    expected = (image / 255 - MEAN) / STDDEV
    published = save(efficientnet_with(MEAN, STDDEV), tmp_path / name)
    loaded = load_backbone(EFFICIENTNET, 32, published)
    np.testing.assert_allclose(first_layers(loaded, image), expected, atol=1e-5)
    # Saved and loaded again, as after a fit, it stays as it is.
    again = load_backbone(EFFICIENTNET, 32, save(loaded, tmp_path / f"again_{name}"))
    np.testing.assert_allclose(first_layers(again, image), expected, atol=1e-5)


def test_efficientnet_computes_what_keras_makes_of_the_same_file(tmp_path, monkeypatch):
    from keras.src.utils import file_utils

    path = save(efficientnet_with(MEAN, STDDEV), tmp_path / "efficientnetb0_notop.h5")
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: path)
    theirs = keras.applications.EfficientNetB0(include_top=False, input_shape=(32, 32, 3))
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    ours = load_backbone(EFFICIENTNET, 32, path)
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-3, atol=1e-5)


def test_efficientnet_trained_with_other_statistics_keeps_them(tmp_path):
    image = np.random.default_rng(0).uniform(0, 255, (32, 32, 3)).astype("float32")
    path = save(efficientnet_with(np.zeros(3), np.ones(3)), tmp_path / "a.h5")
    loaded = load_backbone(EFFICIENTNET, 32, path)
    np.testing.assert_allclose(first_layers(loaded, image), image / 255, atol=1e-6)


# Keras' own files


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    home = tmp_path / "keras_home"
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


@pytest.fixture
def no_network(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")


def put_published(home, backbone, image_size, seed=0):
    """Puts a file of random weights where Keras would keep the ImageNet weights."""
    path = home / "models" / backbone.weights_file
    path.parent.mkdir(parents=True, exist_ok=True)
    model = random_backbone(backbone, image_size, seed)
    save(model, path)
    return path, model


@pytest.mark.parametrize("image_size", [128, 100, 224])
def test_imagenet_is_one_file_whatever_the_size_of_the_images(keras_home, no_network, image_size):
    _, published = put_published(keras_home, MOBILENET, 224)
    assert_same_weights(load_backbone(MOBILENET, image_size), published)


def test_missing_weights_that_cannot_be_fetched_are_explained(keras_home, no_network):
    with pytest.raises(WeightsError) as raised:
        load_backbone(BACKBONES["nasnetmobile"], 224)
    url = "https://storage.googleapis.com/tensorflow/keras-applications/nasnet/NASNet-mobile-no-top.h5"
    assert str(raised.value) == (
        "No ImageNet weights for 'nasnetmobile': there is no 'nasnet_mobile_no_top.h5' in "
        f"'{keras_home}/models', and it could not be downloaded ([Errno 111] Connection refused). "
        f"On a connected machine run `curl -fLo nasnet_mobile_no_top.h5 {url}`, then copy the file "
        "to that folder, set KERAS_HOME to a folder that has it under models/, or pass --weights "
        "PATH."
    )
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_folder_that_cannot_be_written_is_part_of_the_explanation(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(
        WeightsError, match=r"could not be downloaded \(\[Errno 20\] Not a directory"
    ):
        load_backbone(MOBILENET, 128)


class Silent(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    """Returns a function that serves bytes over HTTP on this machine, and gives their URL."""
    servers = []
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def start(content, promised=None):
        class Handler(Silent):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(promised or len(content)))
                self.end_headers()
                self.wfile.write(content)

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/weights.h5"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def published(tmp_path):
    """The bytes of a weights file, and the model they came from."""
    model = random_backbone(MOBILENET)
    path = save(model, tmp_path / "published.h5")
    return pathlib.Path(path).read_bytes(), model


def test_missing_weights_are_fetched_and_kept(keras_home, serve, published):
    content, original = published
    backbone = dataclasses.replace(MOBILENET, weights_url=serve(content))
    assert_same_weights(load_backbone(backbone, 128), original)
    kept = keras_home / "models" / "mobilenet_2_5_128_tf_no_top.h5"
    assert [path for path in keras_home.rglob("*") if path.is_file()] == [kept]
    assert kept.read_bytes() == content
    assert socket.getdefaulttimeout() is None


def test_a_download_cut_short_leaves_nothing(keras_home, serve, published):
    content, _ = published
    url = serve(content[:1000], promised=len(content))
    backbone = dataclasses.replace(MOBILENET, weights_url=url)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        load_backbone(backbone, 128)
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_download_of_something_else_leaves_nothing(keras_home, serve, published):
    content, _ = published
    digest = hashlib.md5(content).hexdigest()
    backbone = dataclasses.replace(
        MOBILENET, weights_url=serve(content + b"changed"), weights_hash=digest
    )
    with pytest.raises(WeightsError, match="Incomplete or corrupted file detected"):
        load_backbone(backbone, 128)
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_server_that_says_nothing_is_not_waited_for(keras_home, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(tfxfer.weights, "_DOWNLOAD_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/weights.h5"
        with pytest.raises(WeightsError, match=r"could not be downloaded \(timed out\)"):
            load_backbone(dataclasses.replace(MOBILENET, weights_url=url), 128)
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_damaged_imagenet_file_is_named_and_not_deleted(keras_home, no_network):
    resnet = BACKBONES["resnet50"]
    path = keras_home / "models" / resnet.weights_file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    expected = (
        f"The ImageNet weights of 'resnet50' in '{path}' are damaged: they are not what Keras "
        "published. Delete the file to have it downloaded again."
    )
    with pytest.raises(WeightsError, match=message(expected)):
        load_backbone(resnet, 224)
    assert path.read_bytes() == b"half of it"


def test_a_damaged_imagenet_file_without_a_checksum_is_named(keras_home, no_network):
    path, _ = put_published(keras_home, MOBILENET, 128)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match=re.escape(f"from '{path}': the file is damaged")):
        load_backbone(MOBILENET, 128)


@pytest.mark.parametrize("length", [32, slow(64)])
def test_a_published_file_is_known_by_its_checksum_wherever_it_lies(tmp_path, length):
    """Keras' oldest files have layer names of their own, and only the order counts."""
    original = random_backbone(XCEPTION)
    path = save(original, tmp_path / "a.h5")
    rewrite_layer_names(path, lambda name: f"old_{name}_layer")
    with pytest.raises(WeightsError, match="do not fit backbone 'xception'"):
        load_backbone(XCEPTION, 71, path)
    content = pathlib.Path(path).read_bytes()
    digests = {32: hashlib.md5(content).hexdigest(), 64: hashlib.sha256(content).hexdigest()}
    backbone = dataclasses.replace(XCEPTION, weights_hash=digests[length])
    assert_same_weights(load_backbone(backbone, 71, path), original)


@real_data
@pytest.mark.parametrize("name", ["mobilenet_025", "mobilenetv2_035", "mobilenetv2"])
def test_real_imagenet_weights_compute_what_keras_makes_of_them(name, monkeypatch):
    home = pathlib.Path(os.environ["TFXFER_REAL_DATA"], "keras_home")
    monkeypatch.setenv("KERAS_HOME", str(home))
    backbone = find_backbone(name)
    path = home / "models" / backbone.weights_file
    images = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype("float32")
    builder = getattr(keras.applications, backbone.builder)
    theirs = builder(
        include_top=False,
        weights=str(path),
        input_shape=(224, 224, 3),
        **dict(backbone.builder_arguments),
    )
    expected = theirs(images).numpy()
    assert expected.std() > 0.1
    np.testing.assert_array_equal(load_backbone(backbone, 224)(images), expected)
    np.testing.assert_array_equal(load_backbone(backbone, 224, str(path))(images), expected)


# Stages


def test_stages_do_not_depend_on_what_was_built_before():
    first = load_backbone(XCEPTION, 71, weights="none")
    use_up_automatic_names()
    second = load_backbone(XCEPTION, 71, weights="none")
    sizes = [
        {stage: len(layers) for stage, layers in stage_layers(model, XCEPTION).items()}
        for model in (first, second)
    ]
    assert sizes[0] == sizes[1]
    # A shortcut of two layers, three times activation, convolution, normalization, and the sum.
    assert sizes[0]["block5"] == 3 * 3 + 1
    assert [layer.name for layer in stage_layers(second, XCEPTION)["block14"]] == [
        "block14_sepconv1",
        "block14_sepconv1_bn",
        "block14_sepconv1_act",
        "block14_sepconv2",
        "block14_sepconv2_bn",
        "block14_sepconv2_act",
    ]


def test_the_stages_of_resnet50_are_its_blocks():
    model = load_backbone(BACKBONES["resnet50"], 32, weights="none")
    stages = stage_layers(model, BACKBONES["resnet50"])
    assert stages["conv1"][-1].name == "pool1_pool"
    assert stages["conv5"][0].name == "conv5_block1_1_conv"
    assert stages["conv5"][-1].name == "conv5_block3_out"
    assert {layer.name.split("_")[0] for layer in stages["conv3"]} == {"conv3"}


def test_a_copy_of_a_model_has_the_same_stages(tmp_path):
    model = load_backbone(XCEPTION, 71, weights="none")
    path = save(model, tmp_path / "a.keras")
    copy = keras.saving.load_model(path)
    names = [
        {stage: [layer.name for layer in layers] for stage, layers in stages.items()}
        for stages in (stage_layers(model, XCEPTION), stage_layers(copy, XCEPTION))
    ]
    assert names[0] == names[1]


def test_a_model_of_another_backbone_has_no_stages():
    model = load_backbone(MOBILENET, 32, weights="none")
    expected = (
        "Model 'mobilenet_0.25_32' has no stage 'block1' of backbone 'vgg16': no layer is called "
        r"'block1_.*' where it should end."
    )
    with pytest.raises(RunError, match=message(expected)):
        stage_layers(model, BACKBONES["vgg16"])


def test_nothing_is_warned_of(tmp_path, keras_home, no_network):
    path, _ = put_published(keras_home, MOBILENET, 224)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_backbone(MOBILENET, 100)  # Keras warns of every size it has no weights for
        load_backbone(MOBILENET, 100, str(path))
