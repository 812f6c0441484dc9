"""How pixels are scaled, in numbers and in words."""

from tfxfer.models.backbones.pixels import SCALINGS
from tfxfer.models.backbones.registry import BACKBONES


def test_every_backbone_has_its_pixels_scaled_in_a_known_way():
    assert {backbone.pixels for backbone in BACKBONES.values()} <= set(SCALINGS)


def test_descriptions_have_the_numbers_and_the_order_of_channels():
    for pixels, parts in {
        "caffe": ["BGR", "103.939, 116.779, 123.68"],
        "symmetric": ["RGB", "[-1, 1]", "127.5"],
        "torch": ["RGB", "[0, 1]", "mean 0.485, 0.456, 0.406", "std 0.229, 0.224, 0.225"],
        "lite": ["RGB", "[-127/128, 1]", "([0, 255] - 127) / 128"],
        "inside": ["RGB", "[0, 255]"],
    }.items():
        assert all(part in SCALINGS[pixels].meaning for part in parts)
    assert not SCALINGS["inside"].changes_pixels
    assert all(
        SCALINGS[pixels].changes_pixels for pixels in ("caffe", "symmetric", "torch", "lite")
    )
