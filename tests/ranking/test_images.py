"""The images that backbones are compared on."""

import dataclasses

import numpy as np
import pytest
from conftest import SMALL_BACKBONE, write_pictures

from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import places
from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.ranking import images as module
from tfxfer.ranking.images import Pool
from tfxfer.training.frozen.features import FeatureFunction

BACKBONE = BACKBONES[SMALL_BACKBONE]


def config_of(data, **settings):
    return FitConfig(data=str(data), image_size=32, **settings)


def test_the_images_are_those_of_train_and_validation(pictures):
    pool = Pool(config_of(pictures), 5)
    assert pool.num_images == 30
    assert set(pool.source.splits) == {"train", "validation"}
    for label in range(3):
        folds = pool.labeled.folds[pool.labeled.labels == label]
        assert np.bincount(folds, minlength=5).tolist() == [2] * 5


def test_a_test_split_that_was_split_off_is_opened_for_its_features_only(tmp_path):
    pool = Pool(config_of(write_pictures(tmp_path / "colors", 10)), 5)
    assert set(pool.source.splits) == {"train", "validation", "test"}
    assert pool.num_images == 30 - len(pool.source.splits["test"])


def test_features_are_in_the_order_of_the_labels(pictures, weights_file):
    pool = Pool(config_of(pictures), 5)
    config = pool.decided(BACKBONE, str(weights_file))
    classifier = build_classifier(BACKBONE, config, config.head, config.weights, 3)
    function = FeatureFunction.of(classifier.features, config, "average")
    found = pool.features(function, config)
    assert found.shape == (30, 64)
    assert pool.num_missing(function, config) == 0
    for place, name in ((4, "train"), (8, "validation")):
        split = pool.source.splits[name]
        one = split.select(np.array([place]))
        images = pool.images(config)[name]
        row = int(places(one.digests(), images.digests)[0])
        assert images.labels[row] == split.labels[place]
        pixels = np.asarray(images.kept[row], np.float32)[None]
        expected = classifier.features(pixels, training=False)
        number = place + (0 if name == "train" else 21)
        np.testing.assert_allclose(found[number], np.asarray(expected)[0], rtol=1e-3, atol=1e-4)
        assert pool.labeled.labels[number] == split.labels[place]


def test_settings_are_those_that_fit_decides_in_float32(pictures):
    pool = Pool(dataclasses.replace(config_of(pictures), precision="mixed_bfloat16"), 5)
    config = pool.decided(BACKBONE)
    assert (config.backbone, config.precision, config.weights) == ("small", "float32", "imagenet")
    assert pool.decided(BACKBONE, "none").seed == 0


def test_flattened_maps_are_averaged_instead(pictures):
    config = config_of(pictures).with_settings({"head": {"pooling": "flatten"}})
    assert Pool(config, 5).decided(BACKBONE).head.pooling == "average"
    config = config_of(pictures).with_settings({"head": {"pooling": "both"}})
    assert Pool(config, 5).decided(BACKBONE).head.pooling == "both"


def test_unreadable_images_are_left_out_if_they_are_to_be_skipped(tmp_path):
    folder = write_pictures(tmp_path / "colors", 10)
    (folder / "blue" / "bad.jpg").write_bytes(b"no image")
    pool = Pool(config_of(folder, bad_images="skip"), 5)
    before = sum(len(split) for split in pool.source.splits.values())
    pool.images(pool.decided(BACKBONE))
    assert sum(len(split) for split in pool.source.splits.values()) == before - 1 == 30
    assert len(pool.labeled.labels) == pool.num_images


def test_of_many_images_a_part_is_used(pictures, monkeypatch):
    monkeypatch.setitem(module.MOST_IMAGES, "train_examples", 12)
    pool = Pool(config_of(pictures), 5)
    assert pool.is_limited
    assert pool.num_images == 12 + 9
    assert not Pool(config_of(pictures, train_examples=20), 5).is_limited


def test_groups_stay_in_one_fold(tmp_path):
    folder = write_pictures(tmp_path / "colors", 10)
    rows = ["path,label,group"]
    for number in range(10):
        for color in ("blue", "red"):
            rows.append(f"colors/{color}/{number}.jpg,{color},{color}{number // 2}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    pool = Pool(config_of(tmp_path / "list.csv"), 4)
    assert len(np.unique(pool.labeled.units)) < pool.num_images
    for unit in np.unique(pool.labeled.units):
        assert len(set(pool.labeled.folds[pool.labeled.units == unit])) == 1
    assert folder.is_dir()


@pytest.mark.parametrize(("count", "what"), [(1, "Add images"), (2, "Add images")])
def test_too_few_images_are_one_clear_error(tmp_path, count, what):
    with pytest.raises(UsageError, match=what) as error:
        Pool(config_of(write_pictures(tmp_path / "colors", count)), 10)
    assert "\n" not in str(error.value)
