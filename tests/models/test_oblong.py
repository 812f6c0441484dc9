"""Backbones take oblong images, with the weights that they have for square ones."""

import numpy as np
import pytest

from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.weights import load_backbone

# One of each family; the others of it are built alike.
FAMILIES = [
    *("resnet10_small", "resnet50", "resnet50v2", "vgg16", "mobilenet", "mobilenetv2"),
    *("mobilenetv3small", "densenet121", "inceptionv3", "xception", "nasnetmobile"),
    *("efficientnetb0", "efficientnetv2b0", "efficientnet_lite0", "convnexttiny"),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_backbone_takes_oblong_images_with_the_same_weights(name):
    backbone = BACKBONES[name]
    side = max(backbone.min_size, 64)
    square, oblong = (
        load_backbone(backbone, size, "none") for size in (2 * side, f"{side}x{2 * side}")
    )
    oblong.set_weights(square.get_weights())
    assert oblong.input_shape == (None, side, 2 * side, 3)
    images = np.random.default_rng(0).uniform(-1, 1, (1, side, 2 * side, 3)).astype("float32")
    maps = oblong.predict_on_batch(images)
    assert maps.shape[1] < maps.shape[2] == square.output_shape[2]
    assert maps.shape[3] == backbone.num_features
    assert np.isfinite(maps).all()


def test_each_side_must_be_large_enough():
    with pytest.raises(UsageError, match="at least 32 pixels; received 24x64"):
        load_backbone(BACKBONES["mobilenetv2"], "24x64", "none")
