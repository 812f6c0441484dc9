"""What an output means is told by the layers that it comes from."""

import pathlib

import keras
import pytest

from tfxfer.errors import RunError
from tfxfer.inference.meaning import image_shape, meaning_of, name_of_end, only_one, scales_pixels

PATH, CLASSES = pathlib.Path("m.keras"), pathlib.Path("classes.txt")


def model_of(*layers, shape=(8, 8, 3)):
    image = keras.Input(shape)
    x = image
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("units", "activation", "meaning"),
    [
        (2, "softmax", "probabilities"),
        (2, None, "logits"),
        (2, "log_softmax", "logits"),
        (2, "relu", "unknown"),
        (2, "sigmoid", "sigmoids"),
        (1, "sigmoid", "probability"),
        (1, None, "logit"),
    ],
)
def test_the_activation_says_what_an_output_means(units, activation, meaning):
    model = model_of(keras.layers.Flatten(), keras.layers.Dense(units, activation))
    assert meaning_of(model.output, ("a", "b"), PATH, CLASSES) == meaning
    behind = model_of(model, keras.layers.Dropout(0.5))  # which changes nothing of it
    assert meaning_of(behind.output, ("a", "b"), PATH, CLASSES) == meaning


def test_an_end_that_means_nothing_is_named():
    model = model_of(keras.layers.Flatten(), keras.layers.Dense(1, "tanh", name="last"))
    assert name_of_end(model.output) == "layer 'last' (Dense), activation 'tanh'"
    with pytest.raises(RunError, match=r"layer 'last' \(Dense\).*'tanh'"):
        meaning_of(model.output, ("a", "b"), PATH, CLASSES)


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 1), (8, 8), (8, 9, 3), (9, 8, 1), (8, 9)])
def test_images_of_one_size_are_taken(shape):
    assert image_shape(keras.Input(shape), PATH) == shape


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 8, 8), r"channels first.*\(None, 3, 8, 8\)"),
        ((8, 8, 4), r"4 channels.*\(None, 8, 8, 4\)"),
        ((8,), r"not .*batch of images: .*\(None, 8\)"),
        ((None, None, 1), r"images of any size \(its input.*keras.Input\(\(224, 224, 1\)\)"),
    ],
)
def test_other_inputs_are_refused_with_their_shape(shape, message):
    with pytest.raises(RunError, match=message):
        image_shape(keras.Input(shape), PATH)


def test_a_model_of_several_inputs_is_no_classifier():
    image, other = keras.Input((8, 8, 3)), keras.Input((2,))
    with pytest.raises(RunError, match="2 inputs.*one image"):
        only_one(keras.Model([image, other], [image, other]), "inputs", PATH)
    assert only_one(model_of(keras.layers.Flatten()), "outputs", PATH).shape == (None, 192)


def test_what_scales_pixels_is_seen_before_the_first_layer_that_learnt():
    scaling, learning = keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(2, 3)
    assert scales_pixels(model_of(scaling, learning))
    assert not scales_pixels(model_of(learning, keras.layers.Rescaling(2.0)))
