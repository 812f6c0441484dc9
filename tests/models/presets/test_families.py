"""What follows from the settings of a network."""

import pytest
from presets import NETWORKS, RESNET_V2, RESNET_VD, SMALL_RESNET, needs_kerashub

from tfxfer.models.presets.families import FAMILIES, RESNET


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


@pytest.mark.slow
@needs_kerashub
@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_bound_on_the_parameters_is_below_their_number_and_not_far(name):
    import keras_hub

    class_name, settings = NETWORKS[name]
    network = getattr(keras_hub.models, class_name)(**settings)
    anatomy = FAMILIES[class_name].anatomy(settings)
    assert anatomy.least_parameters <= network.count_params() <= 8 * anatomy.least_parameters
    assert network.output.shape[-1] == anatomy.num_features
