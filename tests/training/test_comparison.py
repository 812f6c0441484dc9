import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.rules.facts import Facts
from tfxfer.runs.scores.summary import Summary
from tfxfer.training.comparison import Comparison, scratch_config, transfer_config

FACTS = Facts(
    num_train=500,
    num_validation=153,
    num_classes=10,
    num_features=2048,
    side=32,
    mirrored=True,
    native_size=32,
    min_size=8,
    last_resolution="conv5",
    weights_name="imagenet",
)


def compared(pretrained, scratch, num_examples=100):
    scores = [
        Summary(accuracy=accuracy, loss=1.0, num_examples=num_examples)
        for accuracy in (pretrained, scratch)
    ]
    return Comparison(
        num_train=500, epochs=21, split="test", pretrained=scores[0], scratch=scores[1]
    )


@pytest.mark.parametrize(
    ("pretrained", "scratch", "verdict", "said"),
    [
        (0.9, 0.5, "helped", ["helped:", "+40.0 ", " 11.7"]),
        (0.5, 0.9, "hurt", ["hurt:", "-40.0 ", " 11.7", "--weights none"]),
        (0.52, 0.5, "made no difference", ["no significant difference", "+2.0 "]),
        (0.5, 0.5, "made no difference", ["no significant difference", "+0.0 ", " 14.1"]),
    ],
)
def test_the_verdict_weighs_the_gain_against_its_margin_of_error(
    pretrained, scratch, verdict, said
):
    comparison = compared(pretrained, scratch)
    assert comparison.verdict == verdict
    answer = comparison.describe().splitlines()[-1]
    assert [part for part in said if part not in answer] == []
    assert comparison.record().verdict == verdict
    assert comparison.record().gain == pytest.approx(pretrained - scratch)


def test_more_images_detect_smaller_differences():
    assert compared(0.52, 0.5).verdict == "made no difference"
    assert compared(0.52, 0.5, num_examples=100_000).verdict == "helped"


def test_from_scratch_has_the_budget_and_the_data_of_the_pretrained_network():
    asked = FitConfig(weights="tiny_imagenet", batch_size=7, compare_scratch=True).with_settings(
        {
            "class_weights": "balanced",
            "head": {"hidden_units": [8]},
            "finetune": {"learning_rate": 1e-6, "unfreeze": "conv5"},
        }
    )
    transfer = decide(asked, FACTS)
    scratch = decide(scratch_config(transfer), FACTS)
    assert scratch.weights == "none"
    assert not scratch.compare_scratch
    assert scratch.head.epochs == 0
    assert scratch.finetune.epochs == transfer.finetune.epochs + 1 == 21
    # What suits pretrained weights would cripple random ones.
    assert (scratch.finetune.unfreeze, scratch.finetune.batch_norm) == ("all", "adapt")
    assert scratch.finetune.learning_rate == 1e-3
    assert (scratch.batch_size, scratch.head.hidden_units) == (7, (8,))
    assert scratch.class_weights == "balanced"
    assert (scratch.augment, scratch.image_size) == (transfer.augment, transfer.image_size)


def test_with_fewer_images_open_settings_stay_open():
    asked = FitConfig(compare_scratch=True, compare_examples=50, run="a")
    config = transfer_config(asked, 50)
    assert (config.train_examples, config.run, config.compare_examples) == (50, None, None)
    assert config.batch_size is None


def test_neither_side_of_a_comparison_searches():
    asked = FitConfig(effort="standard")
    assert transfer_config(asked, 50).effort == "quick"
    assert scratch_config(decide(asked, FACTS)).effort == "quick"


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        ({"finetune": {"epochs": 4}}, 5),
        ({"finetune": {"unfreeze": "none"}}, 30),
        ({"compare_epochs": 7}, 7),
    ],
)
def test_the_budget_is_the_passes_of_both_phases_unless_it_is_given(settings, epochs):
    asked = FitConfig(compare_scratch=True).with_settings(settings)
    scratch = decide(scratch_config(decide(asked, FACTS)), FACTS)
    assert scratch.finetune.epochs == epochs
