import dataclasses
import re

from conftest import small_config

from tfxfer.planning.plan import make_plan
from tfxfer.planning.ways.description import describe_search
from tfxfer.planning.ways.way import Way


def test_the_plan_of_a_search_has_its_ways_and_what_they_cost(pictures, weights_file, tmp_path):
    plan = make_plan(small_config(pictures, weights_file, tmp_path, effort="standard"))
    text = plan.describe(plan.build_classifier("none"))
    rows = text[text.index("\nsearch  ") :].splitlines()[1:7]
    assert "keeps the best" in rows[0]
    assert "at most 20 epochs" in rows[1]
    assert re.search("2 times .*--effort quick", rows[1])
    assert "the first stage it trains" in rows[2]
    assert [row.strip().partition(" (")[0] for row in rows[3:]] == [
        *("head alone", "all at 0.0001", "all at 0.0001, no shift or zoom"),
    ]
    deeper = Way(plan.config.finetune, plan.config.augment)
    text = "\n".join(describe_search(dataclasses.replace(plan.portfolio, deeper=(deeper,))))
    assert re.search(r"all at 0\.0001 \(10 epochs.*above 0\.25", text)
    plan = make_plan(small_config(pictures, weights_file, tmp_path, effort="quick"))
    assert plan.portfolio is None
    assert "\nsearch" not in plan.describe(plan.build_classifier("none"))


def test_the_plan_of_a_thorough_search_has_all_that_it_may_try(pictures, weights_file, tmp_path):
    settings = {"effort": "thorough", "max_minutes": 5.0}
    plan = make_plan(small_config(pictures, weights_file, tmp_path, **settings))
    text = plan.describe(plan.build_classifier("none"))
    places = [text.index(f" {ways[0].name} (") for ways in plan.portfolio.further]
    assert places == sorted(places)
    for words in (
        "as far as each fits into the time left",
        "another seed and 2 times the epochs",
        "a soup of the best five, then WiSE-FT",
        "5 minutes; configurations that do not fit are not begun",
    ):
        assert words in text
    assert "in all" not in text
