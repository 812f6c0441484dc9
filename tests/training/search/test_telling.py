import dataclasses
import math

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.planning.defaults import decide
from tfxfer.planning.portfolio import make_portfolio
from tfxfer.planning.rules.facts import Facts
from tfxfer.training.search.choosing import Trial
from tfxfer.training.search.telling import line_of, line_of_untried, row_of

PHOTOS = Facts(21, 9, 3, 16, 300, True, 224, 32, "block_2", "imagenet")
PORTFOLIO = make_portfolio(decide(FitConfig(), PHOTOS), FitConfig(), PHOTOS)
WAY = PORTFOLIO.ways[1]
TRIAL = Trial(WAY.name, 5, 3, np.array([0.25, 0.75]), np.array([True, False]), 0.5, 1.25, True)


def test_the_row_of_a_trial_has_its_settings_and_figures():
    row = row_of(TRIAL, WAY, "yes")
    assert (row.way, row.unfreeze, row.epochs, row.best_epoch) == (WAY.name, "block_2", 5, 3)
    assert (row.validation_loss, row.standard_error, row.accuracy) == (0.5, 0.25, 0.5)
    assert (row.augmentation, row.learning_rate, row.kept) == ("flip", 3e-4, "yes")


def test_the_head_alone_has_neither_rate_nor_augmentation():
    head = dataclasses.replace(TRIAL, way="head alone", epochs=0, best_epoch=0)
    row = row_of(head, PORTFOLIO.head_alone, "")
    assert (row.learning_rate, row.augmentation) == (0.0, "")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({}, "0.5000 after temperature scaling and an accuracy of 0.5000 (epoch 3)"),
        ({"best_epoch": 0}, "better than the head alone"),
        ({"losses": np.full(2, math.inf)}, "diverged"),
    ],
)
def test_a_line_tells_what_came_of_it(changes, part):
    line = line_of(dataclasses.replace(TRIAL, **changes))
    assert line.startswith("search: ")
    assert WAY.name in line
    assert part in line


def test_the_score_of_a_number_has_its_name():
    line = line_of(TRIAL, "score")
    assert "and a score of " in line
    assert "temperature" not in line


@pytest.mark.parametrize(("loss", "is_said"), [(0.2, True), (0.3, False)])
def test_a_deeper_way_that_is_not_tried_is_named(loss, is_said):
    deeper = PORTFOLIO.ways[0]
    portfolio = dataclasses.replace(PORTFOLIO, deeper=(deeper,))
    losses = np.full(2, loss)
    names = ["head alone", *(way.name for way in PORTFOLIO.ways)]
    trials = [dataclasses.replace(TRIAL, way=name, losses=losses) for name in names]
    line = line_of_untried(portfolio, trials)
    assert (f"skipped '{deeper.name}'" in line and "0.2000" in line) == is_said
    assert not line_of_untried(portfolio, trials[:-1])
    assert not line_of_untried(dataclasses.replace(PORTFOLIO, deeper=()), trials)
