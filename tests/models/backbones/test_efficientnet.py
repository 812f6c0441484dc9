"""The network of EfficientNet-Lite."""

import keras
import numpy as np
import pytest

from tfxfer.models.backbones.efficientnet import efficientnet_lite


def blocks(model):
    """Returns the channels and the stride of each block by name."""
    found = {}
    for layer in model.layers:
        name, _, rest = layer.name.partition("_")
        if rest == "dwconv":
            found[name] = [layer.strides[0], layer.kernel_size[0]]
        elif rest == "project_conv":
            found[name].append(layer.filters)
    return {name: tuple(values) for name, values in found.items()}


def test_depth_leaves_the_first_and_the_last_group_and_width_the_stem_and_the_top():
    model = efficientnet_lite((32, 32, 3), width=1.1, depth=1.2)  # which is Lite 2
    found = blocks(model)
    repeats = [sum(name.startswith(f"block{number}") for name in found) for number in range(1, 8)]
    assert repeats == [1, 3, 3, 4, 4, 5, 1]
    assert [found[f"block{number}a"] for number in range(1, 8)] == [
        # stride, kernel size, channels: multiples of 8
        *((1, 3, 16), (2, 3, 24), (2, 5, 48), (2, 3, 88), (1, 5, 120), (2, 5, 208), (1, 3, 352)),
    ]
    assert {found[f"block{number}b"][0] for number in range(2, 7)} == {1}
    assert model.get_layer("stem_conv").filters == 32
    assert model.get_layer("top_conv").filters == 1280


@pytest.mark.parametrize(("size", "maps"), [(32, 1), (33, 2), (65, 3)])
def test_any_size_will_do(size, maps):
    model = efficientnet_lite((size, size, 3), width=0.1, depth=0.5)
    assert model.output_shape == (None, maps, maps, 1280)


def test_it_has_layers_of_keras_alone_and_no_squeeze_and_excitation():
    model = efficientnet_lite((32, 32, 3), width=0.1, depth=0.5)
    kinds = {type(layer) for layer in model.layers}
    assert kinds == {
        keras.layers.InputLayer,
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv2D,
        keras.layers.BatchNormalization,
        keras.layers.ReLU,
        keras.layers.Add,
    }
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert layer.epsilon == 1e-3
        if isinstance(layer, keras.layers.ReLU):
            assert layer.max_value == 6.0
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            assert layer.padding == "same"
            assert not layer.use_bias


def test_random_kernels_have_the_scale_of_their_outputs_and_differ():
    model = efficientnet_lite((32, 32, 3), width=1.0, depth=1.0)
    for name, fan_out in {
        "block7a_dwconv": 9,  # one kernel of 3 x 3 for each channel
        "block7a_project_conv": 320,
        "stem_conv": 9 * 32,
    }.items():
        (kernel,) = model.get_layer(name).get_weights()
        assert kernel.std() == pytest.approx(np.sqrt(2 / fan_out), rel=0.1)
    one, other = (model.get_layer(f"block6{x}_expand_conv").get_weights()[0] for x in "bc")
    assert one.shape == other.shape
    assert not np.array_equal(one, other)


def test_a_block_adds_its_input_where_the_shape_stays():
    model = efficientnet_lite((32, 32, 3), width=0.1, depth=1.0)
    norm = model.get_layer("block2b_project_bn")
    norm.set_weights([np.zeros(weight.shape) for weight in norm.get_weights()])
    ends = [model.get_layer(name).output for name in ("block2a_project_bn", "block2b_add")]
    before, after = keras.Model(model.input, ends)(np.ones((1, 32, 32, 3)))
    np.testing.assert_array_equal(after, before)
    assert float(keras.ops.max(keras.ops.abs(before))) > 0
