import pytest

from tfxfer.models.backbones.arithmetic import arithmetic_of, gains_from_bfloat16
from tfxfer.models.backbones.registry import find_backbone


def test_the_operations_of_vgg16_are_those_of_its_convolutions():
    # Side of the feature map, channels before and behind it: 13 convolutions of 3 x 3.
    convolutions = [(32, 3, 64), (32, 64, 64), (16, 64, 128), (16, 128, 128)]
    convolutions += [(8, 128, 256), (8, 256, 256), (8, 256, 256)]
    convolutions += [(4, 256, 512), (4, 512, 512), (4, 512, 512)] + [(2, 512, 512)] * 3
    arithmetic = arithmetic_of(find_backbone("vgg16"), 32)
    assert arithmetic.operations == sum(
        2 * 9 * side**2 * before * behind for side, before, behind in convolutions
    )
    assert arithmetic.values == sum(side**2 * behind for side, _, behind in convolutions)


@pytest.mark.parametrize(
    ("name", "gains"),
    [("vgg16", True), ("resnet10_small", True), ("mobilenetv2", False), ("efficientnetb0", False)],
)
def test_networks_of_full_convolutions_gain_in_long_fits(name, gains):
    backbone = find_backbone(name)
    assert gains_from_bfloat16(backbone, 64, num_train=10**6, epochs=10) == gains
    assert not gains_from_bfloat16(backbone, 64, num_train=10, epochs=10)


@pytest.mark.parametrize("name", ["mobilenet", "efficientnetv2b0", "nasnetmobile", "convnexttiny"])
def test_families_that_are_known_not_to_gain_have_few_operations_per_value(name):
    backbone = find_backbone(name)
    intensity = arithmetic_of(backbone, max(64, backbone.min_size)).intensity
    assert intensity < 680
    assert not gains_from_bfloat16(backbone, 64, num_train=10**6, epochs=10)


def test_a_head_alone_takes_one_pass_of_each_image():
    backbone = find_backbone("resnet10_small")
    enough = -(-2 * 10**13 // arithmetic_of(backbone, 64).operations)
    assert gains_from_bfloat16(backbone, 64, num_train=enough, epochs=0)
    assert not gains_from_bfloat16(backbone, 64, num_train=enough - 1, epochs=0)
