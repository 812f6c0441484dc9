import dataclasses

import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.portfolio import make_portfolio
from tfxfer.planning.rules.facts import Facts
from tfxfer.runs.search.average import AverageRecord
from tfxfer.training.search.conclusion import chosen_changes

FACTS = Facts(500, 200, 5, 1280, 300, True, 224, 32, "block_13", "imagenet")
SOUP = AverageRecord("soup", "trial", ("one", "two"), 5, 0.2, 0.9, 0.3, 0.9)
NO_SOUP = dataclasses.replace(SOUP, members=())
WISE = AverageRecord("wise", "head", ("one",), 2, 0.2, 0.9, 0.3, 0.9, 0.5)
NO_WISE = dataclasses.replace(WISE, members=(), share=None)


@pytest.mark.parametrize(
    ("asked", "average", "setting"),
    [
        ("soup", SOUP, None),
        ("soup", NO_SOUP, "none"),
        ("wise", WISE, None),
        ("wise", NO_WISE, "none"),
        ("none", None, None),
        # A thorough search tries one after the other.
        ("none", dataclasses.replace(NO_WISE, before=NO_SOUP), None),
        ("none", dataclasses.replace(NO_WISE, before=SOUP), None),
        ("none", dataclasses.replace(WISE, before=NO_SOUP), "wise"),
    ],
)
def test_the_settings_have_the_choice_and_what_is_averaged(asked, average, setting):
    settings = FitConfig().with_settings({"finetune": {"average": asked}})
    config = decide(settings, FACTS)
    portfolio = make_portfolio(config, settings, FACTS)
    assert chosen_changes(config, portfolio.default, average) == (
        {} if setting is None else {"finetune.average": setting}
    )
    changes = chosen_changes(config, portfolio.deeper[1], average)
    assert changes["finetune.unfreeze"] == "all"
    assert changes["augment.shift"] == 0
    assert "effort" not in changes
