import dataclasses

import keras
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.decided import (
    DecidedAugment,
    DecidedFinetune,
    DecidedHead,
    DecidedRun,
    GradientPhase,
    SolvedHead,
)
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.models.layers import leaf_layers
from tfxfer.planning.description import (
    count_trained,
    describe_augmentation,
    describe_changes,
    describe_gradual,
)
from tfxfer.planning.wording import describe_regularization, describe_schedule


@pytest.fixture(scope="module")
def classifier():
    run = DecidedRun(
        image_size=32, input_size=32, batch_size=1, label_smoothing=0.0, precision="float32"
    )
    head = DecidedHead(epochs=1, dropout=0.0)
    return build_classifier(find_backbone(SMALL_BACKBONE), run, head, "none", 3)


def state(classifier):
    """Returns what training would change, and how BatchNorm keeps its statistics."""
    model = classifier.model
    return (
        classifier.backbone.trainable,
        [layer.trainable for layer in leaf_layers(model)],
        [variable.path for variable in model.trainable_variables],
        [
            layer.momentum
            for layer in leaf_layers(model)
            if isinstance(layer, keras.layers.BatchNormalization)
        ],
    )


@pytest.mark.parametrize("batch_norm", ["frozen", "adapt"])
@pytest.mark.parametrize("unfreeze", ["none", "block_3", "all"])
@pytest.mark.parametrize("before", ["none", "block_3", "all"])
def test_what_is_trained_is_counted_and_nothing_changed(classifier, before, unfreeze, batch_norm):
    classifier.unfreeze(before, "frozen")
    was = state(classifier)
    counted = count_trained(classifier, unfreeze, batch_norm)
    assert state(classifier) == was
    classifier.unfreeze(unfreeze, batch_norm)
    assert counted == classifier.num_trainable() > 0


PHASE = GradientPhase(
    epochs=1,
    optimizer="adamw",
    learning_rate=1e-3,
    warmup_epochs=0.5,
    weight_decay=1e-4,
    clip_norm=1.0,
)


def test_a_phase_is_described_by_its_epochs_rate_and_regularization():
    assert describe_schedule(PHASE).split(", ") == [
        *("AdamW", "1 epoch", "learning rate 0.001", "warmup 0.5 epochs", "cosine decay"),
    ]
    (line,) = describe_regularization(PHASE)
    assert "weight decay 0.0001" in line
    assert line.endswith("clipped at 1")
    averaged = DecidedFinetune(**vars(PHASE), ema=0.99, unfreeze="all", batch_norm="frozen")
    (told,) = describe_regularization(averaged)
    assert told.startswith(f"{line}, ")
    assert "EMA 0.99" in told
    for average, words in (("soup", "greedy soup"), ("wise", "WiSE-FT")):
        (told,) = describe_regularization(dataclasses.replace(averaged, average=average))
        assert f"EMA 0.99), at the end {'a ' if average == 'soup' else ''}{words}" in told
    solved = SolvedHead(epochs=9, optimizer="lbfgs", dropout=0.0)
    assert describe_schedule(solved).startswith("L-BFGS, up to 9 iterations, L2 penalty chosen")
    assert describe_regularization(solved) == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ""),
        ({"head_rate": 10.0}, " (head 0.01)"),
        # The small network has four stages.
        ({"layer_decay": 0.5}, " (first to last stage: 0.000125 to 0.001)"),
        ({"layer_decay": 0.5, "unfreeze": "block_2"}, " (first to last stage: 0.0005 to 0.001)"),
        ({"layer_decay": 0.5, "unfreeze": "block_3"}, ""),
        (
            {"layer_decay": 0.5, "head_rate": 0.1},
            " (head 0.0001; first to last stage: 0.000125 to 0.001)",
        ),
    ],
)
def test_the_learning_rates_of_head_and_stages_are_told(settings, told):
    phase = DecidedFinetune(**vars(PHASE) | {"unfreeze": "all", "batch_norm": "frozen"} | settings)
    parts = describe_schedule(
        phase, len(find_backbone(SMALL_BACKBONE).unfrozen_stages(phase.unfreeze))
    ).split(", ")
    assert parts[2] == f"learning rate 0.001{told}"


def test_gradual_unfreezing_is_told_with_its_first_and_its_last_part():
    phase = DecidedFinetune(
        **vars(PHASE)
        | {"unfreeze": "block_1", "batch_norm": "frozen", "gradual": True, "epochs": 7}
    )
    backbone = find_backbone(SMALL_BACKBONE)
    (line,) = describe_gradual(phase, backbone)
    assert "from stage block_3 on for 2 epochs" in line
    assert "in epoch 5 all" in line
    assert describe_gradual(dataclasses.replace(phase, gradual=False), backbone) == []
    assert describe_gradual(SolvedHead(epochs=9, optimizer="lbfgs", dropout=0.0), backbone) == []


def test_augmentation_is_described_if_it_is_used():
    assert describe_changes(DecidedAugment(flip=False, shift=0.0, zoom=0.0, rotation=0.0)) == []
    some = DecidedAugment(flip=True, shift=0.1, zoom=0.0, rotation=5.0)
    assert describe_changes(some) == ["flip", "shift 10%", "rotation 5 degrees"]
    some = DecidedAugment(flip=True, shift=0.0, zoom=0.0, rotation=0.0, crop=0.08, policy="trivial")
    flip, crops, policy = describe_changes(some)
    assert (flip, policy) == ("flip", "TrivialAugment")
    assert "8 to 100%" in crops
    mixed = DecidedAugment(
        flip=False, shift=0.0, zoom=0.0, rotation=0.0, policy="rand", mixup=0.2, cutmix=1.0
    )
    assert describe_changes(mixed) == ["RandAugment", "MixUp 0.2", "CutMix 1"]


@pytest.mark.parametrize(
    ("settings", "augment", "told"),
    [
        ({}, {}, "shift 10%; 5 views of each image, each for up to 2 epochs"),
        ({"echo": 1}, {}, "shift 10%"),
        ({"unfreeze": "all"}, {}, "shift 10%"),
        ({}, {"mixup": 0.2}, "shift 10%, MixUp 0.2"),
        ({}, {"shift": 0.0, "flip": True}, "flip"),
        ({}, {"shift": 0.0}, ""),
    ],
)
def test_views_that_epochs_see_again_are_told(settings, augment, told):
    chosen = {"unfreeze": "block_3", "batch_norm": "frozen", "epochs": 10, "echo": 2}
    phase = DecidedFinetune(**vars(PHASE) | chosen | settings)
    shifted = {"flip": False, "shift": 0.1, "zoom": 0.0, "rotation": 0.0}
    changes = DecidedAugment(**shifted | augment)
    assert describe_augmentation(phase, changes) == told
