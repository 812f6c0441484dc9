import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.foreign import as_classifier, check_finite
from tfxfer.models.objectives import softmax

NAMES = ("cat", "dog", "owl")
PATH, CLASSES = pathlib.Path("m.keras"), pathlib.Path("classes.txt")
Dense = keras.layers.Dense

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)


def functional(*layers, shape=(8, 8, 3), dtype="float32", name=None):
    """Returns a model that scales and flattens images and then does what the layers do."""
    image = keras.Input(shape, dtype=dtype)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x, name=name)


def sequential(*layers, shape=(8, 8, 3)):
    first = [keras.Input(shape), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return keras.Sequential([*first, *layers])


def built_by_a_batch(*layers):
    """Returns a Sequential that learned the shape of its input from a batch of four."""
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), *layers])
    model(np.zeros((4, 8, 8, 3), np.float32))
    return model


def predicted(model):
    return np.asarray(model.predict_on_batch(PIXELS.astype(np.float32)))


def adapt(model, class_names=NAMES):
    return as_classifier(model, class_names, PATH, CLASSES)


def gray(pixels):
    return np.stack([np.array(Image.fromarray(picture).convert("L")) for picture in pixels])


def logits(model, pixels=PIXELS):
    """Returns what the only dense layer of a model gives, without its activation."""
    kernel, bias = (np.asarray(weight, np.float64) for weight in model.get_weights())
    return pixels.reshape(len(pixels), -1) / 255 @ kernel + bias


def one_unit(logit):
    p = 1 / (1 + np.exp(-logit))
    return np.concatenate([1 - p, p], axis=1)


def augmented():
    image = keras.Input((8, 8, 3))
    x = keras.layers.RandomFlip()(image)
    x = keras.layers.RandomRotation(0.4)(x, training=True)
    x = keras.layers.RandomContrast(0.5)(keras.layers.Rescaling(1 / 255)(x))
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x), training=True)
    return keras.Model(image, Dense(3)(x))


def structured(as_structure):
    image = keras.Input((8, 8, 3), name="image")
    x = Dense(3)(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image)))
    return keras.Model(as_structure("image", image), as_structure("scores", x))


def then(operation, *layers):
    model = functional(*layers)
    return keras.Model(model.input, operation(model.output))


def plain(model):
    return softmax(logits(model))


# Each with what it gives of PIXELS by its weights, and with what is said of it.
ACCEPTED = {
    "softmax": (lambda: functional(Dense(3, "softmax")), plain, ""),
    "logits": (lambda: functional(Dense(3)), plain, "logits"),
    "logits, then an activation": (
        lambda: functional(Dense(3), keras.layers.Activation("linear")),
        plain,
        "logits",
    ),
    "softmax, then a linear activation": (
        lambda: functional(Dense(3, "softmax"), keras.layers.Activation("linear")),
        plain,
        "",
    ),
    "softmax as a layer for an activation": (
        lambda: functional(Dense(3, activation=keras.layers.Softmax())),
        plain,
        "",
    ),
    "softmax as an operation": (lambda: then(keras.ops.softmax, Dense(3)), plain, ""),
    "log softmax": (lambda: functional(Dense(3, "log_softmax")), plain, "logits"),
    "divided logits": (
        lambda: then(lambda x: x / 2.0, Dense(3)),
        lambda model: softmax(logits(model) / 2),
        "logits",
    ),
    "Sequential": (lambda: sequential(Dense(3, "softmax")), plain, ""),
    "Sequential of logits": (lambda: sequential(Dense(3)), plain, "logits"),
    "Sequential without an Input": (lambda: built_by_a_batch(Dense(3)), plain, "logits"),
    "a model in a model": (
        lambda: keras.Sequential([keras.Input((8, 8, 3)), functional(Dense(3))]),
        plain,
        "logits",
    ),
    "a sigmoid unit": (
        lambda: functional(Dense(1, "sigmoid")),
        lambda model: one_unit(logits(model)),
        "probability of 'dog'",
    ),
    "several labels": (
        lambda: sequential(Dense(3, "sigmoid")),
        lambda model: 1 / (1 + np.exp(-logits(model))),
        "",
    ),
    "a linear unit": (
        lambda: sequential(Dense(1)),
        lambda model: one_unit(logits(model)),
        "logit of 'dog'",
    ),
    "two probabilities made of one": (
        lambda: then(lambda p: keras.ops.concatenate([1 - p, p], axis=-1), Dense(1, "sigmoid")),
        lambda model: one_unit(logits(model)),
        "",
    ),
    "gray": (
        lambda: functional(Dense(3), shape=(8, 8, 1)),
        lambda model: softmax(logits(model, gray(PIXELS))),
        "gray",
    ),
    "gray without channels": (
        lambda: sequential(Dense(3, "softmax"), shape=(8, 8)),
        lambda model: softmax(logits(model, gray(PIXELS))),
        "gray",
    ),
    "gray bytes": (
        lambda: functional(Dense(3), shape=(8, 8, 1), dtype="uint8"),
        lambda model: softmax(logits(model, gray(PIXELS))),
        "gray",
    ),
    "bytes": (lambda: functional(Dense(3, "softmax"), dtype="uint8"), plain, ""),
    "half precision in": (lambda: functional(Dense(3), dtype="float16"), plain, "logits"),
    "double precision in": (lambda: functional(Dense(3), dtype="float64"), plain, "logits"),
    "dicts": (lambda: structured(lambda name, x: {name: x}), plain, "logits"),
    "lists": (lambda: structured(lambda name, x: [x]), plain, "logits"),
    "a name that is taken": (lambda: functional(Dense(3), name="image"), plain, "logits"),
    "augmentation and dropout inside": (augmented, plain, "logits"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_others_made_gives_the_probabilities_that_are_meant(case, tmp_path):
    make, expected, said = ACCEPTED[case]
    make().save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    probabilities = np.asarray(expected(model))
    found = adapt(model, NAMES[: probabilities.shape[1]])
    assert found.model.input_shape == (None, 8, 8, 3)
    assert (found.model.input.dtype, found.model.output.dtype) == ("float32", "float32")
    assert found.model.output_shape == (None, probabilities.shape[1])
    assert predicted(found.model) == pytest.approx(probabilities, abs=2e-6)
    assert said in " ".join(found.notes)
    assert bool(said) == bool(found.notes)
    # What is made of it is of the one form itself, and Keras loads it without any code of ours.
    found.model.save(tmp_path / "adapted.keras")
    again = keras.models.load_model(tmp_path / "adapted.keras", safe_mode=True)
    assert predicted(again) == pytest.approx(probabilities, abs=2e-6)


@pytest.mark.parametrize("channels", [3, 1])
def test_oblong_images_are_taken(channels):
    model = functional(Dense(3), shape=(8, 6, channels))
    found = adapt(model)
    assert found.model.input_shape == (None, 8, 6, 3)
    pixels = PIXELS[:, :, :6]
    seen = pixels if channels == 3 else gray(pixels)[..., None]
    expected = keras.ops.softmax(model.predict_on_batch(seen.astype("float32")))
    given = np.asarray(found.model.predict_on_batch(pixels.astype("float32")))
    assert given == pytest.approx(np.asarray(expected), abs=2e-6)


@pytest.mark.parametrize(
    "policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"]
)
def test_any_precision_becomes_float32(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = functional(Dense(3, "softmax"))
    finally:
        keras.config.set_dtype_policy(before)
    found = adapt(model)
    assert {weight.dtype for weight in found.model.weights} == {"float32"}
    assert predicted(found.model) == pytest.approx(plain(model), abs=2e-6)


def test_a_classifier_of_the_one_form_stays_itself():
    model = functional(Dense(3, "softmax"))
    assert adapt(model).model is model


def test_a_model_that_does_not_scale_pixels_has_a_note():
    image = keras.Input((8, 8, 3))
    x = Dense(3, "softmax")(keras.layers.Flatten()(image))
    (note,) = adapt(keras.Model(image, x)).notes
    assert "[0, 255]" in note
    assert "Rescaling" in note
    preprocessed = keras.Model(
        image, Dense(3, "softmax")(keras.layers.Flatten()(image / 127.5 - 1))
    )
    assert adapt(preprocessed).notes == ()


class Subclassed(keras.Model):
    def call(self, images):
        return images


REFUSED = {
    "channels first": (lambda: functional(Dense(3), shape=(3, 8, 8)), r"channels first.*\(None, 3"),
    "alpha": (lambda: functional(Dense(3), shape=(8, 8, 4)), r"4 channels.*3 \(RGB\) and 1 \(gray"),
    "any size": (
        lambda: keras.Sequential(
            [keras.Input((None, None, 1)), keras.layers.GlobalAveragePooling2D(), Dense(3)]
        ),
        r"any size.*keras.Input\(\(224, 224, 1\)\)",
    ),
    "vectors": (lambda: functional(Dense(3), shape=(8,)), r"does not take a batch of images.*8\)"),
    "video": (lambda: functional(Dense(3), shape=(4, 8, 8, 3)), "does not take a batch of images"),
    "two inputs": (
        lambda: keras.Model(
            [a := keras.Input((8, 8, 3)), b := keras.Input((2,))],
            keras.layers.Concatenate()([keras.layers.Flatten()(a), b]),
        ),
        "2 inputs",
    ),
    "two outputs": (
        lambda: keras.Model(a := keras.Input((8, 8, 3)), [x := keras.layers.Flatten()(a), -x]),
        "2 outputs",
    ),
    "never built": (
        lambda: keras.Sequential([keras.layers.Flatten(), Dense(3)]),
        "does not say what it takes.*keras.Input",
    ),
    "a class of its own": (Subclassed, "does not say what it takes"),
    "feature maps": (
        lambda: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3)]),
        r"output.*\(None, 6, 6, 3\).*\(batch, num_classes\)",
    ),
    "class numbers": (
        lambda: then(lambda x: keras.ops.argmax(x, axis=-1, keepdims=True), Dense(3)),
        "output.* is int",
    ),
    "other activations": (
        lambda: functional(Dense(3, "relu")),
        r"neither probabilities nor logits.*'relu'.*sum to .*softmax",
    ),
    "softmax in parts": (
        lambda: keras.Sequential(
            [
                *[keras.Input((8, 8, 3)), keras.layers.Conv2D(1, (4, 8), (4, 8))],
                *[keras.layers.Reshape((2, 1)), keras.layers.Conv1D(2, 1, activation="softmax")],
                keras.layers.Flatten(),
            ]
        ),
        "neither probabilities nor logits.*sum to 2",
        ("a", "b", "c", "d"),
    ),
    "other numbers of classes": (
        lambda: functional(Dense(4)),
        "m.keras'.*4 classes.*'classes.txt'.* 3",
    ),
    "one unit for three": (
        lambda: functional(Dense(1, "sigmoid")),
        "has 1 class, but 'classes.txt' names 3.*two classes",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_classifier_of_images_is_refused(case):
    make, message, *names = REFUSED[case]
    with pytest.raises(RunError, match=message) as error:
        adapt(make(), *names)
    assert "m.keras" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("activation", ["softmax", "tanh"])
def test_one_unit_that_is_neither_probability_nor_logit_is_refused(activation):
    with pytest.raises(RunError, match=f"one unit.*'{activation}'"):
        adapt(functional(Dense(1, activation)), NAMES[:2])


def test_a_model_that_does_not_run_is_refused_with_its_reason():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Embedding(2, 3)(image)  # which has no row for a gray level above 1
    with pytest.raises(RunError, match="run on images of 8 x 8 pixels: .* is not in") as error:
        adapt(keras.Model(image, Dense(3)(keras.layers.Flatten()(x))))
    assert "\n" not in str(error.value)


def test_the_reason_of_keras_is_given_without_its_frame():
    cropped = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.RandomCrop(6, 6), keras.layers.Flatten(), Dense(3)]
    )
    # In inference it resizes where it does not crop, and comes out as it went in (Keras 3.15).
    with pytest.raises(RunError, match=r"8 x 8 pixels: Input 0 .* \(2, 192\)\.$"):
        adapt(cropped)


def test_weights_that_are_not_numbers_are_refused():
    model = functional(Dense(3))
    model.layers[-1].set_weights([np.full((192, 3), np.nan), np.zeros(3)])
    with pytest.raises(RunError, match="'m.keras' gives NaN"):
        adapt(model)


def test_probabilities_must_be_numbers():
    assert check_finite(np.ones(2), PATH).tolist() == [1, 1]
    with pytest.raises(RunError, match="'m.keras' gives NaN"):
        check_finite(np.array([0.5, np.nan]), PATH)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("",), "'classes.txt' is empty"),
        (("a", "", "b"), "Line 2 of 'classes.txt' is empty"),
        (("a", "b", "a"), "'classes.txt' names the class 'a' 2 times"),
        (("a",), "names 1 class.*at least 2"),
    ],
)
def test_class_names_must_be_names_of_classes(names, message):
    with pytest.raises(UsageError, match=message):
        adapt(functional(Dense(3)), names)


def test_a_byte_order_mark_is_not_part_of_a_class():
    assert adapt(functional(Dense(3)), ("\ufeffcat", "dog", "owl")).class_names == NAMES
