"""Rules of the finetune phase."""

import dataclasses

import pytest
from photo_facts import ANTS_AND_BEES

from tfxfer.config.schema import AugmentConfig
from tfxfer.planning.rules.facts import MANY_IMAGES, SMALL_IMAGE
from tfxfer.planning.rules.fine_tuning import augment_rules, finetune_rules


def finetune(pretrained=True, gradual=False, **facts):
    return finetune_rules(dataclasses.replace(ANTS_AND_BEES, **facts), pretrained, gradual)


def augment(**facts):
    return augment_rules(AugmentConfig(), dataclasses.replace(ANTS_AND_BEES, **facts))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"num_train": 500}, ("conv5", 3e-4, 10)),
        # Small images are upsampled and look unlike what the network was pretrained on.
        ({"num_train": 500, "side": 32}, ("all", 1e-4, 10)),
        ({"num_train": 2_000, "side": 32}, ("all", 2e-4, 10)),
        ({"num_train": 20_000, "side": 32}, ("all", 3e-4, 5)),
        ({"num_train": 2_000}, ("all", 1e-4, 10)),
        ({"num_train": 20_000}, ("all", 1e-4, 5)),
    ],
)
def test_depth_rate_and_epochs_follow_number_and_size_of_the_images(facts, expected):
    found = finetune(**facts)
    assert (found["unfreeze"], found["learning_rate"], found["epochs"]) == expected


@pytest.mark.parametrize(
    ("facts", "ema"),
    [
        ({"num_train": 245}, 0.9),
        ({"num_train": 500, "side": 32}, 0.0),
        ({"num_train": 2_000}, 0.0),
        ({"num_train": 2_000, "side": 32}, 0.99),
    ],
)
def test_weights_are_averaged_at_high_learning_rates(facts, ema):
    assert finetune(**facts)["ema"] == ema


def test_views_are_seen_twice_where_only_the_last_resolution_is_trained():
    assert finetune(num_train=500)["echo"] == 2
    assert finetune(num_train=500, side=32)["echo"] == 1
    assert finetune(num_train=2_000)["echo"] == 1


def test_pretrained_batch_norm_is_frozen():
    assert finetune()["batch_norm"] == "frozen"


@pytest.mark.parametrize(("num_train", "epochs"), [(1_999, 20), (2_000, 10)])
def test_a_network_for_small_images_is_trained_as_a_whole(num_train, epochs):
    found = finetune(num_train=num_train, native_size=32, side=32)
    assert (found["unfreeze"], found["epochs"]) == ("all", epochs)
    assert found["learning_rate"] == 3e-4


@pytest.mark.parametrize("mirrored", [True, False])
def test_images_are_mirrored_only_where_that_keeps_the_label(mirrored):
    assert augment(mirrored=mirrored)["flip"] is mirrored


@pytest.mark.parametrize(
    ("num_train", "side", "zoom", "rotation"),
    [
        (MANY_IMAGES - 1, SMALL_IMAGE - 1, 0.1, 10.0),
        (MANY_IMAGES, SMALL_IMAGE - 1, 0.0, 0.0),
        (MANY_IMAGES, SMALL_IMAGE, 0.1, 0.0),
        (245, SMALL_IMAGE, 0.1, 0.0),
    ],
)
def test_only_small_images_are_turned_and_many_of_them_are_not_blurred(
    num_train, side, zoom, rotation
):
    found = augment(num_train=num_train, side=side)
    assert (found["shift"], found["zoom"], found["rotation"]) == (0.1, zoom, rotation)
