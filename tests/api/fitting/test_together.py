import dataclasses
import re

import pytest
from conftest import small_config

from tfxfer.api.fit import describe_plan, fit
from tfxfer.api.fitting.together import agreed, check_one_way, check_together
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.planning.plan import make_plan
from tfxfer.system.processes.team import Team, belonging_to


@pytest.fixture
def of_two():
    """Makes this process the first of two, as in a dry run."""
    with belonging_to(Team(0, 2)):
        yield


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"backbone": "auto"}, "--backbone auto"),
        ({"max_minutes": 5.0}, "--max-minutes"),
        ({"find_rate": True}, "--find-rate"),
        ({"folds": 3}, "--folds"),
        ({"compare_scratch": True}, "--compare-scratch"),
    ],
)
def test_what_one_process_must_do_alone_is_refused(of_two, settings, option):
    with pytest.raises(UsageError, match=f"{option} needs a process that trains alone"):
        check_together(FitConfig(**settings))
    with belonging_to(Team(0, 1)):
        check_together(FitConfig(**settings))


def test_a_search_is_refused_and_the_message_says_what_to_do(
    of_two, pictures, weights_file, tmp_path
):
    config = small_config(pictures, weights_file, tmp_path)
    plan = make_plan(dataclasses.replace(config, effort="standard"))
    with pytest.raises(UsageError, match="several processes need --effort quick"):
        check_one_way(plan)
    check_one_way(make_plan(config))


def test_the_plan_says_how_batches_are_divided(of_two, pictures, weights_file, tmp_path):
    text = describe_plan(small_config(pictures, weights_file, tmp_path))
    assert re.search(
        r"devices +2 processes with 1 CPU each; of each batch of 8 a process reads 4, and a device "
        "computes 4",
        text,
    )


def test_a_process_that_trains_alone_keeps_its_plan(pictures, weights_file, tmp_path):
    plan = make_plan(small_config(pictures, weights_file, tmp_path))
    assert agreed(plan) is plan


def test_texts_are_trained_by_one_process(of_two, tmp_path):
    with pytest.raises(UsageError, match="trained by one process: omit --distributed"):
        fit(data=str(tmp_path), backbone="textcnn")
