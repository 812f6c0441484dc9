import keras
import numpy as np
import pytest
import tensorflow as tf
from presets import written_preset

from tfxfer.config.schema import AugmentConfig, FitConfig
from tfxfer.data.cache import Cache
from tfxfer.data.image.augmentation.changes import augment_batch
from tfxfer.data.image.dataset import Images
from tfxfer.data.source import in_any_order
from tfxfer.system.digests import ids_of
from tfxfer.training.frozen.changes import Changes
from tfxfer.training.frozen.features import FeatureFunction

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)


class Pictures:
    """Pictures whose readings are counted, and the mean color as their features."""

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


def mean_color(scale=1.0, **settings):
    image = keras.Input((8, 8, 3))
    weighted = keras.layers.Conv2D(3, 1, use_bias=False)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(weighted(image)))
    model.set_weights([scale * np.eye(3, dtype="float32")[None, None]])
    config = FitConfig(backbone="vgg16", image_size=8, input_size=8).with_settings(settings)
    return FeatureFunction.of(model, config, "average")


def test_features_are_computed_once_and_the_same_come_from_the_cache(tmp_path):
    cache, pictures = Cache(tmp_path, 10**6), Pictures()
    for _ in range(2):  # the second model is new, but the same function
        found = mean_color()(pictures.images, "train", 3, cache)
        np.testing.assert_allclose(found, pictures.means, rtol=1e-5)
    assert pictures.reads == 7


def test_only_images_that_are_new_or_changed_are_computed(tmp_path):
    cache = Cache(tmp_path, 10**6)
    mean_color()(Pictures(PIXELS[[4, 1, 2]]).images, "train", 3, cache)
    changed = PIXELS.copy()
    changed[2, 0, 0, 0] += 1
    pictures = Pictures(changed)
    found = mean_color()(pictures.images, "train", 3, cache)
    np.testing.assert_allclose(found, pictures.means, rtol=1e-5)
    assert pictures.reads == 5
    # In another order, and a part of them: all are there now.
    part = Pictures(changed[[6, 2, 0]])
    np.testing.assert_allclose(mean_color()(part.images, "test", 3, cache), part.means, rtol=1e-5)
    assert part.reads == 0


@pytest.mark.parametrize(
    "another",
    [
        {"scale": 2.0},
        {"image_size": 16},
        {"input_size": 16},
        {"fit_images": "pad"},
        {"channels": 4},
        {"precision": "mixed_bfloat16"},
        {"backbone": "vgg19"},
    ],
)
def test_another_function_finds_nothing(tmp_path, another):
    cache, pictures = Cache(tmp_path, 10**6), Pictures()
    mean_color()(pictures.images, "train", 3, cache)
    mean_color(**another)(pictures.images, "train", 3, cache)
    assert pictures.reads == 14


def test_a_preset_whose_scaling_changed_is_another_function(tmp_path):
    facts = []
    for scale in (1.0, 1.0, 0.5):
        folder = written_preset(tmp_path, converter={"scale": scale})
        facts.append(mean_color(backbone=f"kerashub:{folder}").facts)
    assert facts[0] == facts[1] != facts[2]
    assert "network" not in mean_color().facts


def test_other_code_and_other_versions_are_other_functions(monkeypatch):
    key = dict(mean_color().facts)
    assert key["keras"] == keras.__version__
    assert key["tensorflow"] == tf.__version__
    monkeypatch.setattr("tfxfer.training.frozen.features._CODE", ("data.image.channels",))
    assert mean_color().facts["code"] != key["code"]


def test_without_a_cache_nothing_is_kept(tmp_path):
    pictures = Pictures()
    for _ in range(2):
        mean_color()(pictures.images, "train", 3, Cache(tmp_path, 0))
    assert pictures.reads == 14
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_changed_view_has_the_features_of_the_changed_images_and_is_kept_too(tmp_path):
    cache, pictures = Cache(tmp_path, 10**6), Pictures()
    augment = AugmentConfig(shift=0.5, rotation=40.0)
    changes = [Changes.of(7, augment, 3, view) for view in (1, 2)]
    plain = mean_color()(pictures.images, "train", 3, cache)
    views = [mean_color()(pictures.images, "train", 3, cache, each) for each in changes]
    for view, each in zip(views, changes, strict=True):
        pixels = augment_batch(tf.constant(PIXELS), tf.constant(each.draws), augment)
        np.testing.assert_allclose(view, pixels.numpy().mean(axis=(1, 2)), rtol=1e-4)
    assert np.abs(views[0] - views[1]).max() > 1
    assert np.abs(views[0] - plain).max() > 1
    again = mean_color()(pictures.images, "train", 3, cache, Changes.of(7, augment, 3, 2))
    np.testing.assert_array_equal(again, views[1])
    assert pictures.reads == 3 * 7


def test_images_without_cached_features_are_counted(tmp_path):
    cache, function = Cache(tmp_path, 10**6), mean_color()
    assert function.num_missing(Pictures().images, cache) == 7
    function(Pictures(PIXELS[[4, 1, 2]]).images, "train", 3, cache)
    pictures = Pictures()
    assert function.num_missing(pictures.images, cache) == 4
    assert pictures.reads == 0
    assert function.num_missing(pictures.images, Cache(tmp_path, 0)) == 7
