"""What a backbone sees of pixels in [0, 255]."""

import keras
import numpy as np
import pytest

from tfxfer.models.preprocessing import normalize

PIXELS = np.array([[[[0, 127.5, 255], [255, 0, 51]]]], np.float32)  # (1, 1, 2, 3)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ("symmetric", PIXELS / 127.5 - 1),
        ("torch", (PIXELS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("caffe", PIXELS[..., ::-1] - [103.939, 116.779, 123.68]),
        ("lite", (PIXELS - 127) / 128),
        ("inside", PIXELS),
    ],
)
def test_pixels_are_scaled_as_the_formula_says_and_survive_a_file(pixels, expected, tmp_path):
    image = keras.Input((1, 2, 3))
    model = keras.Model(image, keras.layers.Flatten()(normalize(pixels, image)))
    np.testing.assert_allclose(model(PIXELS), expected.reshape(1, 6), rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(PIXELS), model(PIXELS))
