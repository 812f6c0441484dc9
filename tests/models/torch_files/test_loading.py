"""A file of PyTorch in the network of Keras."""

import dataclasses
import functools

import numpy as np
import pytest
from backbone_files import assert_same_weights, save, slow
from messages import parts
from torch_files import ZIP, Call, Name, file_of, needs_package, state_dict_file

from tfxfer.errors import UsageError, WeightsError
from tfxfer.models.backbones.registry import BACKBONES, find_weights_file, weights_path
from tfxfer.models.torch_files.loading import load_torch_file
from tfxfer.models.weights import load_backbone

LITE = [BACKBONES[f"efficientnet_lite{number}"] for number in range(3)]

# A seventh of the layers, and one with more of them.
SMALL, TALL = (
    dataclasses.replace(LITE[0], builder_arguments=(("width", 0.1), ("depth", depth)))
    for depth in (0.1, 0.5)
)
NUM_BLOCKS = {SMALL: 7, TALL: 10, LITE[0]: 16, LITE[2]: 21}

# The layers of a block as efficientnet_lite_pytorch has them, in its order.
BLOCK = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
NORM = ["weight", "bias", "running_mean", "running_var"]


def names(num_blocks):
    """Yields the names of all layers, from the image to the features."""
    yield from ("_conv_stem", "_bn0")
    for number in range(num_blocks):
        for layer in BLOCK[2:] if number == 0 else BLOCK:  # the first block does not expand
            yield f"_blocks.{number}.{layer}"
    yield from ("_conv_head", "_bn1")


@functools.cache
def state_dict(backbone=SMALL):
    """Returns a state dict of random numbers for a backbone, and the network that has them."""
    model = load_backbone(backbone, 32, "none")
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in model.weights])
    arrays, weights = {}, iter(model.get_weights())
    for name in names(NUM_BLOCKS[backbone]):
        if "bn" in name:
            arrays |= {f"{name}.{part}": next(weights) for part in NORM}
            arrays[f"{name}.num_batches_tracked"] = np.array(0)
        else:
            kernel = next(weights)  # (height, width, inputs, outputs), or (..., channels, 1)
            axes = (2, 3, 0, 1) if "depthwise" in name else (3, 2, 0, 1)
            arrays[f"{name}.weight"] = kernel.transpose(axes).copy()
    assert next(weights, None) is None
    arrays["_fc.weight"] = np.zeros((1000, 1280), np.float32)
    arrays["_fc.bias"] = np.zeros(1000, np.float32)
    return arrays, model


def written(arrays, tmp_path):
    path = tmp_path / "lite.pth"
    path.write_bytes(state_dict_file(arrays))
    return path


@pytest.mark.parametrize("backbone", [SMALL, TALL, slow(LITE[0]), slow(LITE[2])])
def test_a_users_file_is_loaded_by_the_names_of_its_tensors(tmp_path, backbone):
    arrays, expected = state_dict(backbone)
    backwards = dict(reversed(arrays.items()))
    path = written(backwards, tmp_path)
    assert_same_weights(load_backbone(backbone, 32, str(path)), expected)
    # And Keras' own formats, as of every backbone.
    saved = save(expected, tmp_path / "lite.weights.h5")
    assert_same_weights(load_backbone(backbone, 32, saved), expected)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"_bn0.bias": None}, "no '_bn0.bias' for layer 'stem_bn'"),
        (
            {"_blocks.3._bn2.weight": np.ones(7, "f")},
            "layer 'block4a_project_bn' ... (8,) ... (7,)",
        ),
        (
            {"_conv_stem.weight": np.ones((32, 1, 3, 3), "f")},
            "layer 'stem_conv' ... (3, 3, 3, 32) ... (32, 1, 3, 3)",
        ),
        ({"_conv_head.weight": np.ones((1280, 32), "f")}, "layer 'top_conv' ... (1280, 32)"),
        ({"_bn0.weight": np.arange(32)}, "'_bn0.weight' is of type int64"),
        ({"_blocks.0._se_reduce.weight": np.ones(1, "f")}, "'_blocks.0._se_reduce.weight'"),
        ({"module.fc": np.ones(1, "f")}, "'module.fc'"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, change, problem):
    arrays, model = state_dict()
    changed = {name: array for name, array in (arrays | change).items() if array is not None}
    path = written(changed, tmp_path)
    before = model.get_weights()
    expected = f"'{path}' do not fit backbone 'efficientnet_lite0' ... {problem}"
    with pytest.raises(WeightsError, match=parts(expected)):
        load_torch_file(model, SMALL, path)
    for weight, value in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_the_file_of_another_lite_is_refused(tmp_path):
    arrays, _ = state_dict(TALL)
    path = written(arrays, tmp_path)
    with pytest.raises(WeightsError, match=parts("do not fit backbone 'efficientnet_lite0'")):
        load_torch_file(state_dict()[1], SMALL, path)


@needs_package(1)
@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2])
def test_the_published_file_of_another_lite_is_refused(number):
    path = weights_path(LITE[1])
    with pytest.raises(WeightsError, match=f"do not fit backbone 'efficientnet_lite{number}'"):
        load_backbone(LITE[number], 32, str(path))


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    _, model = state_dict()
    hostile = tmp_path / "hostile.pth"
    hostile.write_bytes(file_of(Call(Name("os", "system"), (f"touch {tmp_path}/pwned",)), [], []))
    for path, reason in {hostile: "'os.system'", ZIP: "zip format"}.items():
        expected = f"weights of 'efficientnet_lite0' from '{path}' ... {reason}"
        with pytest.raises(WeightsError, match=parts(expected)):
            load_torch_file(model, SMALL, path)
    assert not (tmp_path / "pwned").exists()


def test_other_backbones_have_no_pytorch_files(tmp_path):
    (tmp_path / "a.pth").touch()
    path = str(tmp_path / "a.pth")
    assert str(find_weights_file(LITE[2], path)) == path
    expected = f"'resnet50' from '{path}' ... .keras ... efficientnet_lite0"
    with pytest.raises(UsageError, match=parts(expected)):
        find_weights_file(BACKBONES["resnet50"], path)
