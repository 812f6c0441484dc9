"""ResNet, VGG and DenseNet: what follows from their settings."""

import pytest
from presets import DENSENET, RESNET_V2, RESNET_VD, SMALL_RESNET, VGG

from tfxfer.models.presets import convolutional
from tfxfer.models.presets.convolutional import RESNET


@pytest.mark.parametrize(
    ("settings", "features", "paper"),
    [
        (SMALL_RESNET, 24, "1512.03385"),
        (RESNET_V2, 96, "1603.05027"),
        (RESNET_VD, 96, "1812.01187"),
    ],
)
def test_a_resnet_has_a_stage_for_each_stack(settings, features, paper):
    anatomy = RESNET.anatomy(settings)
    assert [name for name, _ in anatomy.stages] == ["stem", "stack0", "stack1", "stack2", "stack3"]
    assert anatomy.last_resolution == "stack3"
    assert anatomy.num_features == features
    assert paper in anatomy.paper


def test_the_last_resolution_is_that_of_the_last_stride():
    strides = {"stackwise_num_strides": [1, 2, 2, 1]}
    assert RESNET.anatomy(SMALL_RESNET | strides).last_resolution == "stack2"
    strides = {"stackwise_num_strides": [1, 1, 1, 1]}
    assert RESNET.anatomy(SMALL_RESNET | strides).last_resolution == "stack0"


@pytest.mark.parametrize("name", ["stackwise_num_blocks", "input_conv_filters"])
def test_lists_that_differ_in_length_are_refused(name):
    with pytest.raises(ValueError, match="differ"):
        RESNET.anatomy(SMALL_RESNET | {name: [1, 1]})


def test_a_vgg_has_a_stage_for_each_block():
    anatomy = convolutional.VGG.anatomy(VGG)
    assert [name for name, _ in anatomy.stages] == ["block1", "block2", "block3"]
    assert (anatomy.last_resolution, anatomy.num_features) == ("block3", 24)
    # Exactly its kernels, without biases.
    assert anatomy.least_parameters == 9 * (3 * 8 + 8 * 16 + 16 * 24 + 24 * 24)


def test_a_densenet_has_a_stage_for_each_stack():
    anatomy = convolutional.DENSENET.anatomy(DENSENET)
    assert [name for name, _ in anatomy.stages] == ["stem", "stack1", "stack2", "stack3"]
    # 64 + 2 * 8 = 80 -> 40; 40 + 3 * 8 = 64 -> 32; 32 + 2 * 8
    assert (anatomy.last_resolution, anatomy.num_features) == ("stack3", 48)


def test_a_compression_to_nothing_is_refused():
    with pytest.raises(ValueError, match="no channels"):
        convolutional.DENSENET.anatomy(DENSENET | {"compression_ratio": 1e-9})
