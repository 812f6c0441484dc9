"""The networks of vision transformers; nothing of this needs KerasHub."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from presets import DINOV2_REGISTERS, TOKENS, VIT

from tfxfer.models.presets.families import FAMILIES
from tfxfer.models.presets.tokens.vision_transformer import dinov2, vit

IMAGES = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")


def built(name, side=64):
    class_name, settings, _ = TOKENS[name]
    build = vit if name == "vit" else dinov2
    found = FAMILIES[class_name].defaults | settings
    return build((side, side, 3), class_name, tuple(found.items()))


@pytest.mark.parametrize(
    ("name", "side", "grid"), [("vit", 64, 4), ("vit", 79, 4), ("dinov2_registers", 56, 4)]
)
def test_maps_have_a_place_for_each_patch(name, side, grid):
    assert built(name, side).output_shape == (None, grid, grid, 32)


def test_the_first_half_of_the_channels_is_the_class_token_everywhere():
    maps = np.array(built("vit")(IMAGES))
    assert np.array_equal(maps[..., :16], np.broadcast_to(maps[:, :1, :1, :16], (2, 4, 4, 16)))
    assert maps[..., 16:].std(axis=(1, 2)).min() > 0


@pytest.mark.slow
def test_what_exceeds_the_patches_is_cropped_on_all_sides():
    model = built("vit", 68)
    images = np.random.default_rng(0).normal(size=(1, 68, 68, 3)).astype("float32")
    inner = built("vit", 64)
    inner.set_weights(model.get_weights())
    expected = np.array(inner(images[:, 2:-2, 2:-2]))
    np.testing.assert_allclose(np.array(model(images)), expected, atol=1e-6)


@pytest.mark.slow
def test_layers_are_those_of_keras_and_load_without_tfxfer(tmp_path):
    model = built("dinov2_registers", 56)
    assert all(type(one).__module__.startswith("keras.") for one in model.operations)
    model.save(tmp_path / "model.keras")
    images = IMAGES[:, :56, :56]
    np.save(tmp_path / "images.npy", images)
    program = (
        "import sys, keras, numpy as np\n"
        "sys.modules['tfxfer'] = sys.modules['keras_hub'] = None\n"
        "model = keras.models.load_model('model.keras')\n"
        "np.save('found.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    expected = np.array(model(images))
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_positions_are_counted_exactly_under_mixed_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        small = VIT | {"num_layers": 1, "patch_size": 2, "dropout_rate": 0.0}
        found = FAMILIES["ViTBackbone"].defaults | small
        model = vit((64, 64, 3), "ViTBackbone", tuple(found.items()))  # of 1,024 patches
    finally:
        keras.config.set_dtype_policy(before)
    layer = model.get_layer("positions")
    numbers = keras.Model(model.input, layer.input)(IMAGES)
    assert np.array_equal(np.array(numbers), np.broadcast_to(np.arange(1025), (2, 1025)))


def test_dropout_is_only_where_it_is_asked_for():
    dropouts = [one for one in built("vit").layers if isinstance(one, keras.layers.Dropout)]
    assert len(dropouts) == 3 * 4
    others = built("dinov2_registers", 56).layers
    assert DINOV2_REGISTERS.get("dropout_rate") is None
    assert not [one for one in others if isinstance(one, keras.layers.Dropout)]
