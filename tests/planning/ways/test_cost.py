import dataclasses

import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.rules.facts import Facts
from tfxfer.planning.ways.cost import step_cost
from tfxfer.planning.ways.way import Way

FACTS = Facts(500, 200, 5, 1280, 300, True, 224, 32, "block_13", "imagenet")


@pytest.mark.parametrize(
    ("unfreeze", "batch_norm", "cost"),
    [
        ("block_13", "frozen", 1),
        ("block_6", "frozen", 2),
        ("all", "frozen", 3),
        ("all", "adapt", 7.5),
    ],
)
def test_more_stages_and_batch_norm_that_adapts_take_longer(unfreeze, batch_norm, cost):
    config = decide(FitConfig(), FACTS)
    finetune = dataclasses.replace(
        config.finetune, unfreeze=unfreeze, batch_norm=batch_norm, echo=1
    )
    assert step_cost(Way(finetune, config.augment), "block_13") == cost


def test_views_that_are_seen_again_save_time_where_part_of_the_backbone_is_frozen():
    config = decide(FitConfig(), FACTS)
    way = Way(dataclasses.replace(config.finetune, echo=2), config.augment)
    assert step_cost(way, "block_13") == 0.7
    whole = dataclasses.replace(way.finetune, unfreeze="all")
    assert step_cost(dataclasses.replace(way, finetune=whole), "block_13") == 3
