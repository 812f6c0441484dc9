import dataclasses
import functools

import numpy as np
import pytest
from conftest import small_config
from small_network import SMALL

from tfxfer.data.batches import Views, feature_batches, training_batches
from tfxfer.data.image.screening import open_images
from tfxfer.planning.plan import make_plan
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.frozen.features import FeatureFunction


@pytest.fixture(scope="module")
def opened(pictures, weights_file, tmp_path_factory):
    """Returns a function of the memory: the plan, the classifier and the images of a fit.

    The classifier is the same for all tests. Its head is random; each test says what is frozen.
    """
    folder = tmp_path_factory.mktemp("activations")
    plan = make_plan(small_config(pictures, weights_file, folder))
    classifier = plan.build_classifier(plan.config.weights)
    generator = np.random.default_rng(0)
    classifier.head.set_weights(
        [generator.normal(size=weight.shape) for weight in classifier.head.weights]
    )

    @functools.cache
    def open_with(memory_gigabytes=2.0):
        plan = make_plan(
            small_config(pictures, weights_file, folder, memory_gigabytes=memory_gigabytes)
        )
        images, _ = open_images(plan.source.splits, plan.config)
        return plan, classifier, images

    return open_with


@pytest.fixture(scope="module")
def logits(opened):
    """The logits of the whole model by the name of the split."""
    _, classifier, images = opened()
    return {
        name: classifier.model.predict(np.array(images[name].kept, "float32"), verbose=0)
        for name in ("validation", "test")
    }


@pytest.mark.parametrize("unfreeze", ["none", "block_3", "all"])
@pytest.mark.parametrize("memory_gigabytes", [2.0, 1e-6])
def test_a_predictor_gives_the_logits_of_the_model_wherever_it_is_cut(
    opened, logits, unfreeze, memory_gigabytes
):
    plan, classifier, images = opened(memory_gigabytes)
    classifier.unfreeze(unfreeze, "frozen")
    source = ActivationSource(plan.config, classifier.halves(), images)
    expects_kept = unfreeze != "all" and memory_gigabytes == 2.0
    assert (source.cached("validation") is not None) == expects_kept
    for name, expected in logits.items():
        assert source.predictor(name).outputs() == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_views_are_added_to_the_images_with_their_labels_and_weights(opened):
    plan, classifier, images = opened()
    classifier.freeze()
    function = FeatureFunction.of(classifier.features, plan.config, "average")
    weights = np.linspace(0, 2, 21, dtype=np.float32)
    images = images | {"train": images["train"].weighted(weights)}
    source = ActivationSource(plan.config, classifier.halves(), images, function)
    plain, several = source.cached("train"), source.cached_with_views("train", 2)
    assert several.features.shape == (3 * 21, SMALL.num_features)
    np.testing.assert_array_equal(several.features[:21], plain.features)
    np.testing.assert_array_equal(several.labels, np.tile(plain.labels, 3))
    np.testing.assert_array_equal(several.weights, np.tile(images["train"].weights, 3))
    assert sorted(images["train"].weights) == weights.tolist()
    first, second = several.features[21:42], several.features[42:]
    for one, other in ((first, plain.features), (second, plain.features), (first, second)):
        assert np.abs(one - other).max() > 1e-3


def test_mirror_images_follow_the_images(opened):
    plan, classifier, images = opened()
    classifier.unfreeze("block_3", "frozen")
    source = ActivationSource(plan.config, classifier.halves(), images)
    both = source.cached_with_mirror_images("train")
    assert both.features.shape == (2 * 21, *source.halves.frozen.output_shape[1:])
    pixels = np.array(images["train"].kept, "float32")
    for part, seen in ((both.features[:21], pixels), (both.features[21:], pixels[:, :, ::-1])):
        expected = source.halves.frozen.predict(seen, verbose=0)
        np.testing.assert_allclose(part, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(both.labels, images["train"].labels)
    # What does not fit, or saves nothing, is not kept.
    tight, _, streamed = opened(1e-6)
    source = ActivationSource(tight.config, classifier.halves(), streamed)
    assert source.cached_with_mirror_images("train") is None
    classifier.unfreeze("all", "frozen")
    source = ActivationSource(plan.config, classifier.halves(), images)
    assert source.cached_with_mirror_images("train") is None


def test_views_are_the_images_that_the_first_epochs_are_trained_on(opened):
    plan, classifier, images = opened()
    classifier.unfreeze("block_3", "frozen")
    source, config = ActivationSource(plan.config, classifier.halves(), images), plan.config
    augment = dataclasses.replace(config.augment, flip=True, shift=0.2)
    views = source.cached_views("train", augment, config.seed, 2)
    assert source.cached_views("train", augment, config.seed, 2).features is views.features
    told = {"seed": config.seed, "epochs": 2}
    kept = feature_batches(Views(views.features, 2), views.labels, 8, **told)
    whole = training_batches(images["train"], 8, augment=augment, **told)
    for (activations, labels), (pixels, theirs) in zip(kept, whole, strict=True):
        np.testing.assert_array_equal(labels, theirs)
        expected = source.halves.frozen.predict(pixels, verbose=0)
        np.testing.assert_allclose(activations, expected, rtol=1e-4, atol=1e-4)
    # What does not fit, or saves nothing, is not kept.
    tight, _, streamed = opened(1e-6)
    source = ActivationSource(tight.config, classifier.halves(), streamed)
    assert source.cached_views("train", augment, config.seed, 2) is None


def test_views_of_images_that_are_read_again_are_the_same(opened):
    plan, classifier, kept = opened()
    tight = dataclasses.replace(plan.config, memory_gigabytes=1e-6, cache_gigabytes=0.0)
    streamed, _ = open_images(plan.source.splits, tight)
    assert streamed["train"].kept is None
    classifier.unfreeze("block_3", "frozen")
    augment = dataclasses.replace(plan.config.augment, shift=0.2)
    one, other = (
        ActivationSource(plan.config, classifier.halves(), images)
        .cached_views("train", augment, 0, 3)
        .features
        for images in (kept, streamed)
    )
    assert len(one) == 3 * len(kept["train"])
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_views_are_of_one_seed_and_one_augmentation_and_freed_for_others(opened):
    plan, classifier, images = opened()
    classifier.unfreeze("block_3", "frozen")
    source, augment = (
        ActivationSource(plan.config, classifier.halves(), images),
        plan.config.augment,
    )
    shifted = dataclasses.replace(augment, shift=0.2)
    rows = source.cached_views("train", shifted, 0, 2).features
    source.cached_with_mirror_images("train")
    again = source.cached_views("train", shifted, 0, 2).features
    assert again is not rows
    np.testing.assert_array_equal(again, rows)
    zoomed = dataclasses.replace(shifted, zoom=0.5)
    assert np.abs(source.cached_views("train", zoomed, 0, 2).features - rows).max() > 1e-3
    assert np.abs(source.cached_views("train", shifted, 1, 2).features - rows).max() > 1e-3
