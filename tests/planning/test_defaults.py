import dataclasses

import pytest
from photo_facts import ANTS_AND_BEES

from tfxfer.config.schema import GRADIENT_SETTINGS, FitConfig, PretrainConfig
from tfxfer.config.settings import setting_keys
from tfxfer.planning.defaults import decide, decide_pretraining

STAYS_OPEN = {
    *(f"text.{name}" for name in ("max_words", "vocabulary", "dimensions", "units", "dropout")),
    "text.vectors",
    "max_minutes",
    "data_dir",
    "tasks",
    "target",
    "validation_fraction",
    "test_fraction",
    "train_examples",
    "validation_examples",
    "test_examples",
    "run",
    "cache_dir",
    "label_columns",
}


def decided(config=None, **facts):
    return decide(config or FitConfig(), dataclasses.replace(ANTS_AND_BEES, **facts))


def test_nothing_is_left_open_but_what_the_data_and_the_user_decide():
    config = decided()
    still_open = {key for key in setting_keys(FitConfig) if config.get(key) is None}
    gradient = {f"head.{name}" for name in GRADIENT_SETTINGS}
    open_in_fits = {"class_order", "compare_examples", "compare_epochs"}
    open_in_fits |= {"head.penalty", "head.stages"}
    assert still_open == STAYS_OPEN | open_in_fits | gradient
    with_gradients = decided(FitConfig().with_settings({"head": {"optimizer": "adam"}}))
    still_open = {key for key in setting_keys(FitConfig) if with_gradients.get(key) is None}
    assert still_open == STAYS_OPEN | open_in_fits


def test_deciding_twice_changes_nothing():
    config = decided()
    assert decide(config, dataclasses.replace(ANTS_AND_BEES, num_train=10**6, side=8)) == config


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


# 10 classes and 2,048 features: 48,828 images are 10**9 products, and 48,829 are more.
@pytest.mark.parametrize(
    ("num_train", "head", "optimizer", "epochs"),
    [
        (245, {}, "lbfgs", 100),
        (48_828, {}, "lbfgs", 100),
        (48_829, {}, "adam", 10),
        (24_414, {"pooling": "both"}, "lbfgs", 100),
        (24_415, {"pooling": "both"}, "adam", 10),
        (245, {"pooling": "flatten"}, "adam", 30),
        (245, {"hidden_units": [8]}, "adam", 30),
        (245, {"learning_rate": 0.1}, "adam", 30),
        (2_000, {"weight_decay": 0.1}, "adam", 20),
        (245, {"optimizer": "sgd"}, "sgd", 30),
        (10**6, {"optimizer": "lbfgs"}, "lbfgs", 100),
        (245, {"epochs": 7}, "lbfgs", 7),
    ],
)
def test_a_linear_head_is_solved_while_that_is_cheap(num_train, head, optimizer, epochs):
    config = decided(FitConfig().with_settings({"head": head}), num_train=num_train).head
    assert (config.optimizer, config.epochs) == (optimizer, epochs)


@pytest.mark.parametrize(
    ("settings", "facts", "optimizer"),
    [
        ({"memory_gigabytes": 8192 * 245.5 / 1e9}, {}, "lbfgs"),
        ({"memory_gigabytes": 8192 * 244.5 / 1e9}, {}, "adam"),
        ({"memory_gigabytes": 8192 * 245.5 / 1e9}, {"num_validation": 246}, "adam"),
        ({"memory_gigabytes": 0.01, "head": {"augmented_views": 3}}, {}, "lbfgs"),
        ({"memory_gigabytes": 0.01, "head": {"augmented_views": 4}}, {}, "adam"),
    ],
)
def test_a_head_is_solved_only_on_features_that_fit_into_memory(settings, facts, optimizer):
    assert decided(FitConfig().with_settings(settings), **facts).head.optimizer == optimizer


def test_from_scratch_everything_is_trained_at_once_and_batch_norm_learns():
    config = decided(FitConfig(weights="none"))
    assert config.head.epochs == 0
    assert (config.finetune.unfreeze, config.finetune.batch_norm) == ("all", "adapt")
    assert config.finetune.learning_rate > decided().finetune.learning_rate


@pytest.mark.parametrize("skipped", [{"epochs": 0}, {"unfreeze": "none"}])
def test_without_a_finetune_phase_no_images_are_mixed(skipped):
    mixed = FitConfig().with_settings({"augment": {"mixup": 0.2, "cutmix": 1.0}})
    assert (decided(mixed).augment.mixup, decided(mixed).augment.cutmix) == (0.2, 1.0)
    # The settings of older runs may have both.
    found = decided(mixed.with_settings({"finetune": skipped})).augment
    assert (found.mixup, found.cutmix) == (0.0, 0.0)


def test_gradual_unfreezing_ends_with_all_stages():
    gradual = FitConfig().with_settings({"finetune": {"gradual": True}})
    assert decided().finetune.unfreeze == "conv5"
    found = decided(gradual).finetune
    assert (found.unfreeze, found.learning_rate, found.ema) == ("all", 1e-4, 0.0)
    some = gradual.with_settings({"finetune": {"unfreeze": "conv3"}})
    assert decided(some).finetune.unfreeze == "conv3"


PRETRAINING_FACTS = dataclasses.replace(ANTS_AND_BEES, num_train=100_000, side=40, native_size=32)


def test_a_pretraining_leaves_nothing_open_but_what_the_data_and_the_user_decide():
    config = decide_pretraining(PretrainConfig(), PRETRAINING_FACTS)
    still_open = {key for key in setting_keys(PretrainConfig) if config.get(key) is None}
    assert still_open == STAYS_OPEN
    assert decide_pretraining(config, dataclasses.replace(PRETRAINING_FACTS, side=8)) == config


def test_a_backbone_is_pretrained_at_the_size_at_which_it_is_fitted():
    for side in (8, 40, 300):
        facts = dataclasses.replace(PRETRAINING_FACTS, side=side, native_size=224)
        pretraining, fit = decide_pretraining(PretrainConfig(), facts), decide(FitConfig(), facts)
        assert pretraining.image_size == fit.image_size
        assert pretraining.input_size == fit.input_size


@pytest.mark.parametrize(("batch_size", "rate"), [(128, 0.1), (512, 0.4)])
def test_the_rate_of_sgd_follows_the_batch(batch_size, rate):
    config = decide_pretraining(PretrainConfig(batch_size=batch_size), PRETRAINING_FACTS)
    assert config.learning_rate == pytest.approx(rate)
    adam = PretrainConfig(batch_size=batch_size, optimizer="adamw")
    assert decide_pretraining(adam, PRETRAINING_FACTS).learning_rate == 1e-3


def test_unfreezing_nothing_leaves_the_finetune_phase_out():
    config = decided(FitConfig().with_settings({"finetune": {"unfreeze": "none", "epochs": 5}}))
    assert config.finetune.epochs == 0
    assert config.head.epochs > 0


def test_crops_replace_shift_and_zoom():
    config = FitConfig().with_settings({"augment": {"crop": 0.2}})
    augment = decided(config, side=32).augment
    assert (augment.crop, augment.shift, augment.zoom, augment.rotation) == (0.2, 0.0, 0.0, 10.0)
    config = PretrainConfig().with_settings({"augment": {"crop": 0.2}})
    assert decide_pretraining(config, ANTS_AND_BEES).augment.shift == 0.0
    assert decide_pretraining(PretrainConfig(), ANTS_AND_BEES).augment.shift == 0.125
