import dataclasses

import pytest

from tfxfer.config import FitConfig
from tfxfer.recipe import Facts, decide

PHOTOS = Facts(
    num_train=245,
    side=375,
    mirrored=True,
    native_size=224,
    min_size=32,
    last_resolution="conv5",
)


def decided(config=None, **facts):
    return decide(config or FitConfig(), dataclasses.replace(PHOTOS, **facts))


def test_nothing_is_left_open_but_what_the_data_and_the_user_decide():
    from tfxfer.config import setting_keys

    config = decided()
    still_open = {key for key in setting_keys() if config.get(key) is None}
    assert still_open == {
        "data_dir",
        "validation_fraction",
        "test_fraction",
        "train_examples",
        "validation_examples",
        "test_examples",
        "run",
    }


def test_deciding_twice_changes_nothing():
    config = decided()
    assert decide(config, dataclasses.replace(PHOTOS, num_train=10**6, side=8)) == config


def test_what_the_user_set_stays():
    config = FitConfig(image_size=96, batch_size=7).with_settings(
        {"head": {"epochs": 1, "dropout": 0.0}, "augment": {"flip": False}}
    )
    result = decided(config)
    assert (result.image_size, result.batch_size, result.head.epochs) == (96, 7, 1)
    assert (result.head.dropout, result.augment.flip) == (0.0, False)


@pytest.mark.parametrize(
    ("side", "native_size", "min_size", "image_size", "input_size"),
    [
        (375, 224, 32, 224, 224),  # photographs: the native size
        (375, 600, 32, 384, 384),  # no larger than the photographs, in steps of 32
        (192, 224, 32, 224, 224),  # a little small: still the native size
        (96, 224, 32, 224, 96),  # 96 is not small any more; it travels as it is
        (95, 224, 32, 128, 128),  # small: 128
        (85, 224, 32, 128, 85),  # at most two thirds: travels as it is
        (32, 224, 32, 128, 32),
        (8, 224, 32, 128, 8),
        (32, 299, 75, 128, 32),
        (32, 64, 32, 64, 32),  # a backbone made for less
        (32, 224, 139, 139, 32),  # never below the backbone's smallest size
    ],
)
def test_the_size_follows_the_images_and_the_backbone(
    side, native_size, min_size, image_size, input_size
):
    config = decided(side=side, native_size=native_size, min_size=min_size)
    assert (config.image_size, config.input_size) == (image_size, input_size)


@pytest.mark.parametrize(
    ("num_train", "batch_size", "unfreeze"),
    [
        (1_999, 32, "conv5"),
        (2_000, 64, "all"),
        (19_999, 64, "all"),
        (20_000, 128, "all"),
    ],
)
def test_batch_and_depth_follow_the_number_of_images(num_train, batch_size, unfreeze):
    config = decided(num_train=num_train)
    assert (config.batch_size, config.finetune.unfreeze) == (batch_size, unfreeze)


def test_from_scratch_everything_is_trained_at_once_and_batch_norm_learns():
    config = decided(FitConfig(weights="none"))
    assert config.head.epochs == 0
    assert (config.finetune.unfreeze, config.finetune.batch_norm) == ("all", "adapt")
    assert config.finetune.learning_rate > decided().finetune.learning_rate


def test_pretrained_batch_norm_is_frozen():
    assert decided().finetune.batch_norm == "frozen"


def test_unfreezing_nothing_leaves_the_finetune_phase_out():
    config = decided(FitConfig().with_settings({"finetune": {"unfreeze": "none", "epochs": 5}}))
    assert config.finetune.epochs == 0
    assert config.head.epochs > 0


@pytest.mark.parametrize("mirrored", [True, False])
def test_images_are_mirrored_only_where_that_keeps_the_label(mirrored):
    assert decided(mirrored=mirrored).augment.flip is mirrored
