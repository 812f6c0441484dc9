"""Swin, held against KerasHub's network."""

import shutil
import sys

import h5py
import keras
import numpy as np
import pytest
from conftest import small_config
from messages import parts
from presets import SWIN, needs_kerashub, saved_preset

from tfxfer.api.fit import fit
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError, WeightsError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.models.preprocessing import normalize
from tfxfer.models.presets.tokens import families
from tfxfer.models.presets.tokens.swin import swin
from tfxfer.models.weights import load_backbone

# What Keras says about KerasHub's layers.
pytestmark = pytest.mark.filterwarnings("ignore:(?s).*Layer '(stage_|attn)")


def anatomy(**changes):
    return families.SWIN.anatomy({**families.SWIN.defaults, **SWIN, **changes})


def test_a_swin_has_a_stage_for_each_resolution():
    found = anatomy()
    assert [name for name, _ in found.stages] == ["stem", "stage1", "stage2", "stage3"]
    assert (found.last_resolution, found.num_features, found.min_size) == ("stage3", 32, 48)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"depths": [2, 2]}, "differ"),
        ({"num_heads": [2, 3, 4]}, "3 heads and 16 channels"),
        ({"embed_dim": 4096}, "16384 channels"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        anatomy(**changes)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return saved_preset(tmp_path_factory.mktemp("presets") / "net", "swin")


def images_of(side):
    return np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype("float32")


# Of 48 pixels the last stage is one window; of 64 windows are padded. KerasHub shifts padded
# windows back together with their padding, which displaces their content: compared without shifts.
@pytest.mark.slow
@needs_kerashub
@pytest.mark.parametrize(("name", "size"), [("swin", 48), ("swin", 96), ("swin_unshifted", 64)])
def test_pixels_and_features_equal_those_of_kerashub(name, size, preset, tmp_path):
    import keras_hub

    preset = preset if name == "swin" else saved_preset(tmp_path / "net", name)
    backbone = find_backbone(f"kerashub:{preset}")
    network = load_backbone(backbone, size)
    theirs = keras_hub.models.Backbone.from_preset(str(preset), image_shape=(size, size, 3))
    for images in (images_of(size), np.full((1, size, size, 3), 128.0, "float32")):
        pixels = np.array(normalize(backbone.pixels, images))
        if size != 48:
            converter = keras_hub.layers.ImageConverter.from_preset(str(preset))
            small = images[:, :64, :64]
            np.testing.assert_array_equal(np.array(converter(small)), pixels[:, :64, :64])
        expected = np.array(theirs(pixels))
        maps = np.array(network(pixels))
        np.testing.assert_allclose(maps.reshape(expected.shape), expected, atol=1e-5)
    assert network.count_params() == backbone.num_parameters == theirs.count_params()
    assert maps.shape[1:] == (size // 16, size // 16, 32)


@pytest.mark.slow
def test_padded_windows_are_shifted_back_to_where_they_were():
    """Where attention adds nothing, a block is its perceptron alone."""
    settings = {**families.SWIN.defaults, **SWIN, "depths": (2,), "num_heads": (1,)}
    model = swin((64, 64, 3), "Swin", tuple(settings.items()))
    identity = np.broadcast_to(np.eye(8)[:, None], (8, 3, 8)).reshape(8, 24)
    for number in (1, 2):
        qkv = model.get_layer(f"stage1_block{number}_qkv")
        # Tokens attend to themselves alone, and give themselves.
        qkv.set_weights([identity * np.repeat([1e3, 1e3, 1], 8), np.zeros(24)])
        model.get_layer(f"stage1_block{number}_output").set_weights([np.eye(8), np.zeros(8)])
        model.get_layer(f"stage1_block{number}_dense2").set_weights(
            [np.zeros((32, 8)), np.zeros(8)]
        )
    tokens = keras.Model(model.input, model.get_layer("patch_norm").output)(images_of(64)).numpy()
    for _ in range(2):
        normalized = (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(
            tokens.var(-1, keepdims=True) + 1e-5
        )
        tokens = tokens + normalized
    blocks = keras.Model(model.input, model.get_layer("stage1_block2_sum2").output)
    np.testing.assert_allclose(blocks(images_of(64)).numpy(), tokens, atol=1e-3)


@pytest.mark.slow
def test_litert_computes_the_same():
    import tensorflow as tf

    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    settings = {**families.SWIN.defaults, **SWIN, "depths": (2, 2), "num_heads": (2, 2)}
    model = swin((32, 32, 3), "Swin", tuple(settings.items()))
    images = images_of(32)[:1] / 255
    module = tf.Module()
    module.held = [variable.value for variable in model.variables]
    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, 32, 32, 3)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    interpreter = interpreter_of(model_content=converter.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, np.array(model(images)), atol=1e-4)


@pytest.mark.slow
@needs_kerashub
def test_the_network_is_cut_at_its_stages_and_needs_some_pixels(preset):
    backbone = find_backbone(f"kerashub:{preset}")
    settings = {"precision": "float32", "head": {"dropout": 0.0}}
    config = FitConfig(image_size=64, input_size=64).with_settings(settings)
    classifier = build_classifier(backbone, config, config.head, "preset", 3)
    assert list(classifier.cuts) == list(backbone.stage_names)
    generator = np.random.default_rng(0)
    classifier.head.set_weights([generator.normal(size=w.shape) for w in classifier.head.weights])
    images = images_of(64)
    expected = np.array(classifier.model(images))
    for stage in backbone.stage_names:
        classifier.unfreeze(stage, "frozen")
        halves = classifier.halves()
        found = np.array(halves.trained(np.array(halves.frozen(images))))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(UsageError, match="at least 48 pixels"):
        load_backbone(backbone, 47)


@pytest.mark.slow
@needs_kerashub
def test_arrays_that_do_not_fit_are_named(preset, tmp_path):
    folder = shutil.copytree(preset, tmp_path / "net")
    place = "layers/swin_transformer_stage_1/blocks/swin_transformer_block_1/attn/vars/0"
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file[place]
    with pytest.raises(WeightsError, match=parts(f"'{place}' of shape (25, 2), the file none")):
        load_backbone(find_backbone(f"kerashub:{folder}"), 64)


@pytest.mark.slow
@needs_kerashub
def test_a_fit_runs_both_phases_and_its_model_needs_no_kerashub(
    preset, pictures, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    lines = []
    config = small_config(
        pictures,
        "preset",
        tmp_path,
        backbone=f"kerashub:{preset}",
        image_size=48,
        input_size=48,
        head={"epochs": 2, "dropout": 0.0},
        finetune={"epochs": 1},
    )
    result = fit(config, say=lines.append)
    assert "finetune  epoch 1/1" in "\n".join(lines)
    assert result.export is not None
    assert keras.models.load_model(result.model).output_shape[-1] > 1
