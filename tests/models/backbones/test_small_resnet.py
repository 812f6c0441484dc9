import keras
import numpy as np
import pytest

from tfxfer.models.backbones.small_resnet import small_resnet


def build(size=32, **arguments):
    return small_resnet((size, size, 3), **({"widths": (8, 16), "blocks": (1, 2)} | arguments))


def test_each_stage_but_the_first_halves_the_resolution():
    model = build(widths=(8, 16, 24), blocks=(1, 1, 1))
    shapes = [model.get_layer(f"conv{stage}_block1_out").output.shape for stage in (2, 3, 4)]
    assert shapes == [(None, 32, 32, 8), (None, 16, 16, 16), (None, 8, 8, 24)]
    assert model.output.shape == shapes[-1]


@pytest.mark.parametrize("size", [8, 9, 31, 50])
def test_any_size_will_do(size):
    model = build(size, widths=(8, 16, 24, 32), blocks=(1, 1, 1, 1))
    assert model(np.zeros((1, size, size, 3))).shape == (1, -(-size // 8), -(-size // 8), 32)


def test_a_block_adds_its_shortcut():
    model = build()
    kernels = [
        layer
        for layer in model.layers
        if layer.name.startswith("conv3_block2") and isinstance(layer, keras.layers.Conv2D)
    ]
    assert len(kernels) == 2  # no projection where the shape stays
    for layer in kernels:
        layer.set_weights([np.zeros(weight.shape) for weight in layer.get_weights()])
    inner = keras.Model(
        model.input, [model.get_layer(f"conv3_block{n}_out").output for n in (1, 2)]
    )
    before, after = inner(np.random.default_rng(0).normal(size=(2, 32, 32, 3)))
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert float(keras.ops.max(before)) > 0


def test_widths_and_blocks_must_be_of_equal_number():
    with pytest.raises(ValueError, match="zip"):
        build(widths=(8, 16), blocks=(1,))
