import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.rules.facts import Facts
from tfxfer.planning.ways.way import Way

FACTS = Facts(500, 200, 5, 1280, 300, True, 224, 32, "block_13", "imagenet")


def default(asked):
    config = decide(asked, FACTS)
    return Way(config.finetune, config.augment)


def test_again_is_longer_and_has_another_name_and_seed():
    way = default(FitConfig())
    again = way.again(2)
    assert again.finetune.epochs == 2 * way.finetune.epochs
    assert again.name == f"{way.name}, 20 epochs, another seed"
    assert (way.seed, again.seed) == (0, 1)
    assert way.again(1).name == f"{way.name}, another seed"
    assert way.again(1).finetune == way.finetune


def test_the_length_is_named_once():
    assert default(FitConfig()).again(2).again(2).labels == (
        "another seed",
        "40 epochs",
        "another seed",
    )


@pytest.mark.parametrize("given", [True, False])
def test_what_the_user_gave_does_not_change(given):
    asked = FitConfig().with_settings({"finetune": {"learning_rate": 2e-4}} if given else {})
    changed = default(asked).changed({"learning_rate": 1e-3, "unfreeze": "all"}, asked)
    assert changed.finetune.unfreeze == "all"
    assert changed.finetune.learning_rate == (2e-4 if given else 1e-3)
    mixing = default(asked).mixing({"mixup": 0.2}, asked)
    assert mixing.augment.mixup == 0.2
