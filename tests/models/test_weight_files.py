import re
import zipfile

import h5py
import keras
import numpy as np
import pytest
from backbone_files import (
    MOBILENET,
    SMALL_CONVNEXT,
    SMALL_EFFICIENTNET,
    SMALL_MOBILENET,
    SMALL_XCEPTION,
    alone,
    assert_same_weights,
    flat,
    nested,
    random_backbone,
    rewrite_layer_names,
    save,
    shared_backbone,
    slow,
    use_up_automatic_names,
)
from messages import parts

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.weights import load_backbone

# A user's file


@pytest.mark.parametrize("holder", [alone, nested, flat])
@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_a_backbone_is_found_in_any_file(tmp_path, name, holder):
    original = shared_backbone(SMALL_MOBILENET)
    path = save(holder(original), tmp_path / name)
    assert_same_weights(load_backbone(SMALL_MOBILENET, 48, path), original)


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
    original = shared_backbone(SMALL_CONVNEXT)
    path = save(holder(original), tmp_path / name)
    assert_same_weights(load_backbone(SMALL_CONVNEXT, 32, path), original)


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
    original = shared_backbone(SMALL_XCEPTION)
    path = save(holder(original), tmp_path / name)
    use_up_automatic_names()
    assert_same_weights(load_backbone(SMALL_XCEPTION, 71, path), original)


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5"])
@pytest.mark.parametrize(
    "backbone",
    [
        "mobilenet_025",
        *(slow(name) for name in ("xception", "convnexttiny", "efficientnetb0", "inceptionv3")),
        *(slow(name) for name in ("inceptionresnetv2", "nasnetmobile", "resnet50")),
        slow("mobilenetv3small"),
    ],
)
@pytest.mark.slow
def test_larger_networks_are_found_too(tmp_path, backbone, name):
    original = shared_backbone(BACKBONES[backbone])
    path = save(nested(original), tmp_path / name)
    use_up_automatic_names()
    assert_same_weights(load_backbone(BACKBONES[backbone], 96, path), original)


@pytest.mark.parametrize("frozen", ["some", slow("all")])
def test_frozen_layers_change_the_order_in_a_file_but_not_the_weights(tmp_path, frozen):
    original = random_backbone(SMALL_XCEPTION)
    for layer in original.layers[: 20 if frozen == "some" else None]:
        layer.trainable = False
    path = save(nested(original), tmp_path / "a.h5")
    loaded = load_backbone(SMALL_XCEPTION, 71, path)
    original.trainable = True  # which puts its weights in their first order again
    assert_same_weights(loaded, original)


def test_weights_without_a_model_around_them_are_found(tmp_path):
    original = shared_backbone(SMALL_MOBILENET)
    whole = save(original, tmp_path / "whole.h5")
    bare = tmp_path / "bare.h5"
    with h5py.File(whole) as source, h5py.File(bare, "w") as target:
        for name in source["model_weights"]:
            source.copy(source["model_weights"][name], target, name=name)
        target.attrs.update(source["model_weights"].attrs)
    assert_same_weights(load_backbone(SMALL_MOBILENET, 32, str(bare)), original)


def test_a_file_with_slashes_in_its_layer_names_is_read(tmp_path):
    original = shared_backbone(SMALL_MOBILENET)
    path = save(original, tmp_path / "a.h5")
    rewrite_layer_names(path, lambda name: name.replace("conv_", "conv/"))
    assert_same_weights(load_backbone(SMALL_MOBILENET, 32, path), original)


def test_a_list_of_names_too_long_for_one_attribute_is_read(tmp_path):
    original = shared_backbone(SMALL_MOBILENET)
    path = save(original, tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights"].attrs
        names = attributes["layer_names"]
        del attributes["layer_names"]
        attributes["layer_names0"], attributes["layer_names1"] = names[:10], names[10:]
    assert_same_weights(load_backbone(SMALL_MOBILENET, 32, path), original)


def test_layers_in_another_order_are_matched_by_name(tmp_path):
    # conv_pw_7 to conv_pw_11 have equal shapes: by order alone they would be exchanged.
    original = shared_backbone(SMALL_MOBILENET)
    path = save(original, tmp_path / "a.h5")
    rewrite_layer_names(path, lambda name: name, order=lambda names: names[::-1])
    assert_same_weights(load_backbone(SMALL_MOBILENET, 32, path), original)


def test_automatic_names_are_ordered_by_number(tmp_path):
    original = shared_backbone(SMALL_XCEPTION)
    path = save(original, tmp_path / "a.h5")
    first = min(
        int(layer.name.partition("_")[2] or 0)
        for layer in original.layers
        if layer.name.startswith("conv2d")
    )

    def from_9998(name):  # across 10,000, and past the names that the network has
        stem, _, number = name.partition("_")
        return f"conv2d_{int(number or 0) - first + 9998}" if stem == "conv2d" else name

    rewrite_layer_names(path, from_9998, order=lambda names: names[::-1])
    assert_same_weights(load_backbone(SMALL_XCEPTION, 71, path), original)


def test_exchanged_layers_of_equal_shape_do_not_slip_through(tmp_path):
    path = save(shared_backbone(SMALL_MOBILENET), tmp_path / "a.weights.h5")
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
    with pytest.raises(WeightsError, match="'conv_pw_9'.*'conv_pw_8'"):
        load_backbone(SMALL_MOBILENET, 32, path)


def test_files_of_the_first_keras_3_and_of_keras_2_13_are_read(tmp_path):
    original = shared_backbone(SMALL_MOBILENET)
    path = save(original, tmp_path / "a.weights.h5")
    with h5py.File(path, "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
        for group in file["_layer_checkpoint_dependencies"].values():
            if "vars" in group:
                group["vars"].attrs.pop("name", None)
    assert_same_weights(load_backbone(SMALL_MOBILENET, 32, path), original)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5"])
def test_the_dtype_policy_does_not_matter(tmp_path, name, policy):
    original = shared_backbone(SMALL_MOBILENET)
    path = save(original, tmp_path / name)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        loaded = load_backbone(SMALL_MOBILENET, 32, path)
        again = load_backbone(SMALL_MOBILENET, 32, save(loaded, tmp_path / f"again_{name}"))
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
    path = save(nested(shared_backbone(MOBILENET)), tmp_path / name)
    expected = f"'{path}' ... 'mobilenet_050': ... 'conv1' ... (3, 3, 3, 16) ... (3, 3, 3, 8)"
    with pytest.raises(WeightsError, match=parts(expected)):
        load_backbone(BACKBONES["mobilenet_050"], 32, path)


def test_the_mismatch_is_the_nested_networks_not_its_surroundings(tmp_path):
    inputs = keras.Input((32, 32, 3))
    outputs = shared_backbone(MOBILENET)(keras.layers.Conv2D(3, 1)(inputs))
    path = save(keras.Model(inputs, outputs), tmp_path / "a.weights.h5")
    expected = "layer 'conv1' has shape (3, 3, 3, 16), in the file (3, 3, 3, 8)."
    with pytest.raises(WeightsError, match=re.escape(expected)):
        load_backbone(BACKBONES["mobilenet_050"], 32, path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.h5", "'block1_conv1' ... the file none"),
        (
            "a.weights.h5",
            "layer 'block1_conv1' has shape (3, 3, 3, 64), in the file (3, 3, 3, 8)",
        ),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, name, problem):
    path = save(shared_backbone(MOBILENET), tmp_path / name)
    expected = f"'{path}' ... 'vgg16' ... {problem}"
    with pytest.raises(WeightsError, match=parts(expected)):
        load_backbone(BACKBONES["vgg16"], 32, path)


def test_a_network_with_layers_left_out_is_refused(tmp_path):
    original = shared_backbone(SMALL_XCEPTION)
    part = keras.Model(original.input, original.get_layer("block5_sepconv1").output)
    for name, problem in (
        ("a.weights.h5", "it holds nothing for layer 'block5_sepconv1_bn'"),
        ("a.h5", "'block5_sepconv1_bn', the file none"),
    ):
        with pytest.raises(WeightsError, match=parts(problem)):
            load_backbone(SMALL_XCEPTION, 71, save(part, tmp_path / name))


def test_too_few_layers_with_automatic_names_are_refused(tmp_path):
    path = save(shared_backbone(SMALL_XCEPTION), tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights"].attrs
        names = [str(name) for name in attributes["layer_names"]]
        last = max(name for name in names if name.startswith("conv2d"))
        attributes["layer_names"] = [name for name in names if name != last]
    with pytest.raises(WeightsError, match=r"4 layers .*'conv2d.*', the file 3"):
        load_backbone(SMALL_XCEPTION, 71, path)


def test_a_layer_without_its_bias_is_refused(tmp_path):
    vgg = BACKBONES["vgg16"]
    path = save(shared_backbone(vgg), tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        attributes = file["model_weights/block1_conv1"].attrs
        attributes["weight_names"] = attributes["weight_names"][:1]
    with pytest.raises(WeightsError, match="'block1_conv1'.* 2 arrays.* 1\\b"):
        load_backbone(vgg, 32, path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.h5", "which ... 'conv1'"),
        ("a.weights.h5", "it holds 2 networks that do"),
    ],
)
def test_a_file_with_two_such_networks_is_refused(tmp_path, name, problem):
    inputs = keras.Input((32, 32, 3))
    twins = [random_backbone(SMALL_MOBILENET, 32, seed) for seed in (0, 1)]
    twins[1].name = "second"
    both = keras.layers.Add()([twin(inputs) for twin in twins])
    path = save(keras.Model(inputs, both), tmp_path / name)
    with pytest.raises(WeightsError, match=parts(problem)):
        load_backbone(SMALL_MOBILENET, 32, path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.h5", "which ... 'normalization"),
        ("a.weights.h5", "which ... 'layers/normalization'"),
    ],
)
def test_a_second_normalization_of_the_same_shape_is_ambiguous(tmp_path, name, problem):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Normalization()(inputs)
    builder = keras.src.applications.efficientnet.EfficientNet
    model = builder(input_tensor=x, **dict(SMALL_EFFICIENTNET.builder_arguments))
    path = save(model, tmp_path / name)
    with pytest.raises(WeightsError, match=parts(problem)):
        load_backbone(SMALL_EFFICIENTNET, 32, path)


def test_a_head_alone_is_no_backbone(tmp_path):
    inputs = keras.Input((256,))
    path = save(keras.Model(inputs, keras.layers.Dense(3)(inputs)), tmp_path / "a.weights.h5")
    with pytest.raises(WeightsError, match="it holds no 'layers/conv2d/vars/0'"):
        load_backbone(SMALL_MOBILENET, 32, path)


# Files that are corrupt, or worse


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_corrupt_file_is_named(tmp_path, name, damage):
    path = tmp_path / name
    save(shared_backbone(SMALL_MOBILENET), path)
    content = path.read_bytes()
    corrupt = {"truncated": content[: len(content) // 2], "empty": b"", "text": b"<html>\n"}
    path.write_bytes(corrupt[damage])
    expected = f"'mobilenet_025' ... '{path}': the file is corrupt"
    with pytest.raises(WeightsError, match=parts(expected)) as raised:
        load_backbone(SMALL_MOBILENET, 32, str(path))
    assert "save it again" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_keras_file_without_weights_is_named(tmp_path):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(WeightsError, match=r"no item named 'model\.weights\.h5' in the"):
        load_backbone(SMALL_MOBILENET, 32, str(path))


def test_the_model_in_a_file_is_not_read_only_its_numbers(tmp_path):
    original = shared_backbone(SMALL_MOBILENET)
    save(original, tmp_path / "good.keras")
    with (
        zipfile.ZipFile(tmp_path / "good.keras") as good,
        zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad,
    ):
        bad.writestr("config.json", '{"class_name": "Lambda", "config": "not even valid"')
        bad.writestr("model.weights.h5", good.read("model.weights.h5"))
    loaded = load_backbone(SMALL_MOBILENET, 32, str(tmp_path / "bad.keras"))
    assert_same_weights(loaded, original)


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5"])
@pytest.mark.parametrize("kind", ["link", "external values"])
def test_nothing_is_read_from_other_files(tmp_path, name, kind):
    secret = save(shared_backbone(SMALL_MOBILENET), tmp_path / f"secret_{name}")
    key = "layers/conv2d/vars/0" if "weights" in name else "model_weights/conv1/conv1/kernel"
    path = save(shared_backbone(SMALL_MOBILENET), tmp_path / name)
    with h5py.File(path, "r+") as file:
        shape = file[key].shape
        del file[key]
        if kind == "link":
            file[key] = h5py.ExternalLink(secret, key)
        else:
            outside = [(secret, 0, h5py.h5f.UNLIMITED)]
            file.create_dataset(key, shape, dtype="float32", external=outside)
    with pytest.raises(WeightsError, match=r"corrupt|holds nothing|holds no"):
        load_backbone(SMALL_MOBILENET, 32, path)
