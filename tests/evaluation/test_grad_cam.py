"""Grad-CAM points at the evidence, wherever that is, and equals its formula."""

import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE
from sklearn.linear_model import LogisticRegression

from tfxfer.config.schema import FitConfig, HeadConfig
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.models.layers import leaf_layers

SIZE = 128  # maps of 4 x 4
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)

# The four quarters, by rows and columns, as places of maps; in pixels they are 32 times as far, and
# what is shown keeps clear of their edges, which the windows of two of the networks reach across.
QUARTERS = [(slice(row, row + 2), slice(column, column + 2)) for row in (0, 2) for column in (0, 2)]


def classifier_of(name, *, size=SIZE, pooling="average", hidden_units=(), num_classes=3):
    head = HeadConfig(epochs=1, pooling=pooling, hidden_units=hidden_units, dropout=0.1)
    config = FitConfig(
        data="none", backbone=name, image_size=size, input_size=size, precision="float32"
    )
    return build_classifier(BACKBONES[name], config, head, "none", num_classes)


def see_colors_where_they_are(backbone):
    """Gives a network weights by which each place of its maps has the colors that are there.

    Every convolution passes its channels on, from the middle of its window: such a network has the
    shape of the real one, and it is known what each place of its maps has seen.
    """
    for layer in leaf_layers(backbone):
        if isinstance(layer, keras.layers.BatchNormalization):
            ones, zeros = np.ones(layer.gamma.shape), np.zeros(layer.gamma.shape)
            layer.set_weights([ones, zeros, zeros, ones])
        elif isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            kernel, *bias = layer.get_weights()
            height, width, inputs, outputs = kernel.shape
            middle = np.zeros((inputs, outputs))
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                middle[:] = 1
            else:
                middle[np.arange(outputs) % inputs, np.arange(outputs)] = 1
            kernel = np.zeros_like(kernel)
            kernel[height // 2, width // 2] = middle
            layer.set_weights([kernel, *(np.zeros_like(values) for values in bias)])


def paint(square, quarter, color):
    rows, columns = (slice(32 * one.start + 8, 32 * one.stop - 8) for one in QUARTERS[quarter])
    square[rows, columns] = color


def evidence(color, quarter, decoy):
    """Returns a dark square with a quarter of a color, which decides, and a green one."""
    square = np.full((SIZE, SIZE, 3), 20, np.uint8)
    paint(square, quarter, color)
    paint(square, decoy, GREEN)
    return square


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_025",
        # Five seconds each: of 24 images, three passes through some billion products an image.
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("resnet50", "vgg16")),
    ],
)
def test_heat_falls_where_the_evidence_is(name):
    classifier = classifier_of(name, num_classes=2)
    see_colors_where_they_are(classifier.backbone)
    places = [(quarter, decoy) for quarter in range(4) for decoy in range(4) if decoy != quarter]
    squares = np.stack([evidence(color, *pair) for color in (RED, BLUE) for pair in places])
    labels = np.repeat([0, 1], len(places))
    features = np.asarray(classifier.features(squares.astype("float32"), training=False))
    scale = features.std(axis=0).max()
    solved = LogisticRegression(C=10).fit(features / scale, labels)
    kernel, bias = solved.coef_[0] / scale, solved.intercept_[0]
    classifier.head.layers[-1].set_weights(
        [np.stack([-kernel, kernel], axis=1) / 2, np.array([-bias, bias]) / 2]
    )
    explainer = Explainer(classifier.with_probabilities())
    for_label, for_other = explainer.heat(squares, labels), explainer.heat(squares, 1 - labels)
    assert for_label.shape == (24, 4, 4)
    for heat, other, (quarter, _) in zip(for_label, for_other, 2 * places, strict=True):
        assert heat[QUARTERS[quarter]].sum() / heat.sum() > 0.75
        # What speaks for the one class does not for the other.
        assert other[QUARTERS[quarter]].sum() < 0.25 * max(other.sum(), 1e-6)


def maps_of(model, squares):
    pool = next(layer for layer in model.layers if layer.name.endswith("_pool"))
    maps = keras.Model(model.input, pool.input)(squares.astype("float32"), training=False)
    return np.asarray(maps)  # (batch, rows, columns, channels)


@pytest.fixture(scope="module")
def squares():
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


def scaled(heat):
    heat = np.maximum(heat, 0)
    largest = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, largest, out=np.zeros_like(heat), where=largest > 0)


@pytest.mark.parametrize("pooling", ["average", "max", "both", "flatten"])
def test_heat_is_the_published_formula(pooling, squares):
    classifier = classifier_of(SMALL_BACKBONE, pooling=pooling)
    see_colors_where_they_are(classifier.backbone)
    kernel = np.random.default_rng(1).normal(size=classifier.head.layers[-1].kernel.shape)
    classifier.head.layers[-1].set_weights([kernel, np.zeros(3)])
    model = classifier.with_probabilities()
    classes = np.array([2, 0, 1])
    maps = maps_of(model, squares)
    rows, columns, channels = maps.shape[1:]
    expected = []
    for one, chosen in zip(maps, classes, strict=True):
        # The mean over the places of the gradient of the logit, by hand for each pooling: of the
        # mean it is 1/n everywhere, of the maximum 1 at one place (shared among equals).
        weights = kernel[:, chosen]
        if pooling == "flatten":
            alpha = weights.reshape(rows, columns, channels).mean(axis=(0, 1))
        else:
            alpha = sum(weights.reshape(-1, channels)) / (rows * columns)
        expected.append(one @ alpha)
    found = Explainer(model).heat(squares, classes)
    np.testing.assert_allclose(found, scaled(np.array(expected)), rtol=1e-4, atol=1e-5)
    others = np.array([0, 1, 2])
    first, second = Explainer(model).heats(squares, [classes, others])
    np.testing.assert_array_equal(first, found)
    np.testing.assert_array_equal(second, Explainer(model).heat(squares, others))
    assert not np.array_equal(first, second)
    if pooling == "average":
        compiled = Explainer(model, is_compiled=True).heat(squares, classes)
        np.testing.assert_allclose(compiled, found, atol=1e-5)


def test_heat_follows_a_head_with_hidden_layers(squares):
    classifier = classifier_of(SMALL_BACKBONE, hidden_units=(8,))
    see_colors_where_they_are(classifier.backbone)
    generator = np.random.default_rng(2)
    for layer in classifier.head.layers:
        layer.set_weights([generator.normal(size=w.shape) for w in layer.get_weights()])
    model = classifier.with_probabilities()
    (hidden, bias), (kernel, _) = [
        layer.get_weights() for layer in classifier.head.layers if layer.weights
    ]
    maps, classes = maps_of(model, squares), np.array([0, 1, 2])
    pooled = maps.mean(axis=(1, 2))
    active = pooled @ hidden + bias > 0  # (batch, units)
    alpha = np.einsum("bu,cu,ub->bc", active, hidden, kernel[:, classes])
    expected = np.einsum("brsc,bc->brs", maps, alpha)
    found = Explainer(model).heat(squares, classes)
    np.testing.assert_allclose(found, scaled(expected), rtol=1e-4, atol=1e-5)


def test_where_nothing_speaks_for_a_class_there_is_no_heat(squares):
    classifier = classifier_of(SMALL_BACKBONE)  # its logits are zero
    heat = Explainer(classifier.with_probabilities()).heat(squares, np.array([0, 1, 2]))
    assert heat.shape == (3, 4, 4)
    assert not heat.any()


def test_maps_that_are_too_coarse_and_models_of_others_are_not_explained():
    coarse = Explainer(classifier_of(SMALL_BACKBONE, size=64).with_probabilities())
    image = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    foreign = Explainer(keras.Model(image, keras.layers.Dense(3, activation="softmax")(pooled)))
    for explainer in (coarse, foreign):
        assert not explainer.can_explain
        with pytest.raises(ValueError, match="cannot be explained"):
            explainer.heat(np.zeros((1, SIZE, SIZE, 3), np.uint8), np.array([0]))
