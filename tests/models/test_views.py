"""Models that average over test-time views."""

import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.decided import DecidedHead
from tfxfer.config.schema import FitConfig
from tfxfer.evaluation.calibration import calibrated_copy
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.inference.foreign import as_classifier
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.models.heads import with_features
from tfxfer.models.objectives import SOFTMAX
from tfxfer.models.sigmoids import SIGMOIDS

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 96, 128, 3)).astype("float32")


def classifier_of(pooling="average", objective=SOFTMAX, **settings):
    config = FitConfig(image_size="96x128", input_size="96x128", precision="float32")
    config = config.with_settings(settings)
    head = DecidedHead(epochs=0, dropout=0.0, pooling=pooling)
    classifier = build_classifier(BACKBONES[SMALL_BACKBONE], config, head, "none", 4, objective)
    generator = np.random.default_rng(1)
    shapes = [weight.shape for weight in classifier.head.get_weights()]
    classifier.head.set_weights([generator.normal(size=shape) for shape in shapes])
    return classifier


@pytest.mark.parametrize("pooling", ["average", "max", "both", "flatten"])
@pytest.mark.parametrize("objective", [SOFTMAX, SIGMOIDS], ids=["softmax", "sigmoids"])
def test_the_logits_of_an_image_and_its_mirror_image_are_averaged(pooling, objective, tmp_path):
    classifier = classifier_of(pooling, objective)
    model = classifier.with_probabilities("flip")
    plain, mirrored = (classifier.model(x).numpy() for x in (IMAGES, IMAGES[:, :, ::-1]))
    assert np.abs(plain - mirrored).max() > 1e-3
    expected = objective.activate((plain + mirrored) / 2)
    assert model.predict(IMAGES, verbose=0) == pytest.approx(expected, abs=1e-5)
    assert model.predict(IMAGES[:, :, ::-1], verbose=0) == pytest.approx(expected, abs=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.predict(IMAGES, verbose=0) == pytest.approx(expected, abs=1e-5)
    # The features are those of the image as it is.
    features = with_features(again)(IMAGES)["features"].numpy()
    assert features == pytest.approx(classifier.features(IMAGES).numpy(), rel=1e-4, abs=1e-4)


def test_it_is_a_classifier_like_any_other(tmp_path):
    classifier = classifier_of()
    model = classifier.with_probabilities("flip")
    path = tmp_path / "model.keras"
    adapted = as_classifier(model, ("a", "b", "c", "d"), path, tmp_path / "classes.txt")
    assert adapted.model is model
    explainer = Explainer(model)
    assert explainer.can_explain
    chosen = np.array([0, 1, 2])
    heat = Explainer(classifier.with_probabilities()).heat(IMAGES.astype("uint8"), chosen)
    assert explainer.heat(IMAGES.astype("uint8"), chosen) == pytest.approx(heat, abs=1e-4)
    logits = (classifier.model(IMAGES).numpy() + classifier.model(IMAGES[:, :, ::-1]).numpy()) / 2
    calibrated = calibrated_copy(model, 2.0).predict(IMAGES, verbose=0)
    assert calibrated == pytest.approx(SOFTMAX.activate(logits / 2), abs=1e-5)


def test_without_views_the_model_is_as_before():
    classifier = classifier_of()
    names = [layer.name for layer in classifier.with_probabilities().layers]
    assert "views" not in names
    assert len(names) == len(set(names))


def test_after_mixed_precision_it_is_float32():
    classifier = classifier_of(precision="mixed_bfloat16")
    model, plain = (classifier.with_probabilities(views) for views in ("flip", "none"))
    logits = [np.log(plain.predict(x, verbose=0)) for x in (IMAGES, IMAGES[:, :, ::-1])]
    expected = SOFTMAX.activate(np.mean(logits, axis=0))
    assert model.predict(IMAGES, verbose=0) == pytest.approx(expected, abs=1e-5)
    assert {layer.compute_dtype for layer in model.layers if layer.weights} == {"float32"}
