import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import AugmentConfig, FitConfig
from tfxfer.data.batches import feature_batches
from tfxfer.data.cache import Cache
from tfxfer.data.image.augmentation import augment_batch
from tfxfer.data.image.dataset import Images
from tfxfer.data.source import in_any_order
from tfxfer.models.prediction import predict_batches
from tfxfer.models.standardisation import Standardisation
from tfxfer.system.digests import ids_of
from tfxfer.training.features import Changes, FeatureFunction

FEATURES = np.arange(14, dtype="float32").reshape(7, 2)
LABELS = np.arange(7)


def rows(**arguments):
    return list(feature_batches(FEATURES, LABELS, 3, **arguments))


def test_each_epoch_has_every_example_once_with_its_label():
    batches = rows(seed=0, epochs=2)
    assert [len(labels) for _, labels in batches] == [3, 3, 1, 3, 3, 1]
    for epoch in (batches[:3], batches[3:]):
        assert sorted(np.concatenate([labels for _, labels in epoch])) == list(range(7))
    for features, labels in batches:
        assert np.array_equal(features, FEATURES[labels.numpy()])


def test_weights_are_the_third_and_stay_with_their_examples():
    weights = np.linspace(0.5, 1.5, 7, dtype="float32")
    plain, weighted = rows(seed=0, epochs=2), rows(seed=0, epochs=2, weights=weights)
    for (features, labels), (same_features, same_labels, its_weights) in zip(
        plain, weighted, strict=True
    ):
        assert np.array_equal(features, same_features)
        assert np.array_equal(labels, same_labels)
        assert np.array_equal(its_weights, weights[labels.numpy()])


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed):
        return np.concatenate([labels for _, labels in rows(seed=seed, epochs=2)]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1)[:7] != order(1)[7:]


def test_predictions_come_in_the_order_of_the_batches_and_are_counted():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs))
    done = []
    batches = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS)).batch(3)
    assert np.array_equal(predict_batches(model, batches, 7, 3, done.append), FEATURES * 2)
    assert done == [1, 2, 3]


def test_standardised_features_have_one_scale_and_constant_ones_do_not_explode():
    generator = np.random.default_rng(0)
    features = generator.normal([5, -1, 0, 2], [100, 1, 0, 1e-6], (50, 4)).astype("float32")
    scale = Standardisation.of(features)
    standard = scale.apply(features)
    assert standard.dtype == np.float32
    assert standard.mean(axis=0)[:3] == pytest.approx([0, 0, 0], abs=1e-4)
    assert standard.std(axis=0) == pytest.approx([1, 1, 0, 0], abs=1e-3)
    another = features + np.float32(0.01)
    assert np.abs(scale.apply(another) - standard)[:, 2:].max() < 0.02


def test_an_example_of_weight_two_is_standardised_by_as_two():
    generator = np.random.default_rng(0)
    features = generator.normal([5, -1, 0], [100, 1, 0], (50, 3)).astype("float32")
    counts = np.arange(50) % 3  # 0, 1 and 2
    weights = (counts / counts.mean()).astype("float32")
    ours = Standardisation.of(features, weights)
    copies = Standardisation.of(features[np.repeat(np.arange(50), counts)])
    assert ours.mean.dtype == copies.mean.dtype == np.float32
    assert ours.mean == pytest.approx(copies.mean, rel=1e-5)
    assert ours.deviation == pytest.approx(copies.deviation, rel=1e-5)


PIXELS = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)


class Pictures:
    """Pictures whose readings are counted, and the mean colour as their features."""

    def __init__(self, pixels=PIXELS):
        self.reads = 0
        self.pixels = pixels

        def read(index):
            self.reads += 1
            return pixels[int(index)]

        split = in_any_order(
            np.zeros(len(pixels), np.int64),
            lambda i: tf.ensure_shape(tf.py_function(read, [i], tf.uint8), (8, 8, 3)),
            str,
            lambda: ids_of((picture.tobytes(),) for picture in pixels),
        )
        self.images = Images(split, 8, memory_bytes=0)

    @property
    def means(self):
        return self.pixels.mean(axis=(1, 2))


def mean_colour(scale=1.0, **settings):
    image = keras.Input((8, 8, 3))
    weighted = keras.layers.Conv2D(3, 1, use_bias=False)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(weighted(image)))
    model.set_weights([scale * np.eye(3, dtype="float32")[None, None]])
    config = FitConfig(backbone="vgg16", image_size=8, input_size=8).with_settings(settings)
    return FeatureFunction.of(model, config, "average")


def test_features_are_computed_once_and_the_same_come_from_the_cache(tmp_path):
    cache, pictures = Cache(tmp_path, 10**6), Pictures()
    for _ in range(2):  # the second model is new, but the same function
        found = mean_colour()(pictures.images, "train", 3, cache)
        np.testing.assert_allclose(found, pictures.means, rtol=1e-5)
    assert pictures.reads == 7


def test_only_images_that_are_new_or_changed_are_computed(tmp_path):
    cache = Cache(tmp_path, 10**6)
    mean_colour()(Pictures(PIXELS[[4, 1, 2]]).images, "train", 3, cache)
    changed = PIXELS.copy()
    changed[2, 0, 0, 0] += 1
    pictures = Pictures(changed)
    found = mean_colour()(pictures.images, "train", 3, cache)
    np.testing.assert_allclose(found, pictures.means, rtol=1e-5)
    assert pictures.reads == 5
    # In another order, and a part of them: all are there now.
    part = Pictures(changed[[6, 2, 0]])
    np.testing.assert_allclose(mean_colour()(part.images, "test", 3, cache), part.means, rtol=1e-5)
    assert part.reads == 0


@pytest.mark.parametrize(
    "another",
    [
        {"scale": 2.0},
        {"image_size": 16},
        {"input_size": 16},
        {"precision": "mixed_bfloat16"},
        {"backbone": "vgg19"},
    ],
)
def test_another_function_finds_nothing(tmp_path, another):
    cache, pictures = Cache(tmp_path, 10**6), Pictures()
    mean_colour()(pictures.images, "train", 3, cache)
    mean_colour(**another)(pictures.images, "train", 3, cache)
    assert pictures.reads == 14


def test_other_code_and_other_versions_are_other_functions(monkeypatch):
    key = dict(mean_colour().facts)
    assert key["keras"] == keras.__version__
    assert key["tensorflow"] == tf.__version__
    monkeypatch.setattr("tfxfer.training.features._CODE", ("data.image.decoding",))
    assert mean_colour().facts["code"] != key["code"]


def test_without_a_cache_nothing_is_kept(tmp_path):
    pictures = Pictures()
    for _ in range(2):
        mean_colour()(pictures.images, "train", 3, Cache(tmp_path, 0))
    assert pictures.reads == 14
    assert not list(tmp_path.iterdir())


def test_a_changed_view_has_the_features_of_the_changed_images_and_is_kept_too(tmp_path):
    cache, pictures = Cache(tmp_path, 10**6), Pictures()
    augment = AugmentConfig(shift=0.5, rotation=40.0)
    changes = [Changes.of(7, augment, 3, view) for view in (1, 2)]
    plain = mean_colour()(pictures.images, "train", 3, cache)
    views = [mean_colour()(pictures.images, "train", 3, cache, each) for each in changes]
    for view, each in zip(views, changes, strict=True):
        pixels = augment_batch(tf.constant(PIXELS), tf.constant(each.draws), augment)
        np.testing.assert_allclose(view, pixels.numpy().mean(axis=(1, 2)), rtol=1e-4)
    assert np.abs(views[0] - views[1]).max() > 1
    assert np.abs(views[0] - plain).max() > 1
    again = mean_colour()(pictures.images, "train", 3, cache, Changes.of(7, augment, 3, 2))
    np.testing.assert_array_equal(again, views[1])
    assert pictures.reads == 3 * 7
