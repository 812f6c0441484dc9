"""What a backbone sees of pixels in [0, 255]."""

import keras
import numpy as np
import pytest

from tfxfer.config.frame import Frame
from tfxfer.models.preprocessing import frame_of, image_input, normalize

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


@pytest.mark.parametrize(
    "frame", [Frame.of(8), Frame.of("8x6"), Frame.of("6x8", "stretch"), Frame.of(8, "pad")]
)
def test_the_frame_of_a_model_survives_its_file_and_models_made_of_it(frame, tmp_path):
    image = image_input(frame)
    model = keras.Model(image, keras.layers.Flatten()(image))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", safe_mode=True)
    longer = keras.Model(loaded.input, keras.layers.Softmax()(loaded.output))
    assert frame_of(model) == frame_of(loaded) == frame_of(longer) == frame


def test_images_for_a_model_that_does_not_say_it_are_cropped():
    model = keras.Sequential([keras.Input((8, 8, 3), name="anything"), keras.layers.Flatten()])
    assert frame_of(model) == Frame.of(8)
