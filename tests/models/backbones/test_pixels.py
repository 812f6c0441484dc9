"""How pixels are scaled, in numbers and in words."""

from tfxfer.models.backbones.pixels import SCALINGS
from tfxfer.models.backbones.registry import BACKBONES


def test_every_backbone_has_its_pixels_scaled_in_a_known_way():
    assert {backbone.pixels for backbone in BACKBONES.values()} <= set(SCALINGS)


def test_the_words_have_the_numbers():
    assert {pixels: scaling.meaning for pixels, scaling in SCALINGS.items()} == {
        "caffe": "BGR, [0, 255] less the means 103.939, 116.779, 123.68",
        "symmetric": "RGB in [-1, 1], that is [0, 255] / 127.5 - 1",
        "torch": "RGB, ([0, 1] - mean) / deviation of ImageNet: 0.485, 0.456, 0.406 and "
        "0.229, 0.224, 0.225",
        "inside": "RGB in [0, 255]",
    }
    assert not SCALINGS["inside"].changes_pixels
    assert all(SCALINGS[pixels].changes_pixels for pixels in ("caffe", "symmetric", "torch"))
