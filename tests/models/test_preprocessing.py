"""What a backbone sees of pixels in [0, 255]."""

import numpy as np
import pytest

from tfxfer.models.preprocessing import normalise


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ("symmetric", [-1.0, 0.0, 1.0]),
        ("torch", [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
        ("caffe", [255 - 103.939, 127.5 - 116.779, -123.68]),
        ("inside", [0.0, 127.5, 255.0]),
    ],
)
def test_pixels_are_scaled_as_the_networks_were_trained(pixels, expected):
    image = np.array([0.0, 127.5, 255.0], np.float32).reshape(1, 1, 1, 3)
    scaled = np.array(normalise(pixels, image)).reshape(3)
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-5)
