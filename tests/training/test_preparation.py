import pytest
from conftest import small_config

from tfxfer.errors import InterruptionError, RunError, UsageError
from tfxfer.planning.plan import make_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session
from tfxfer.training.preparation import holding, prepare_run


@pytest.fixture
def plan(pictures, weights_file, tmp_path):
    return make_plan(small_config(pictures, weights_file, tmp_path, run="one"))


def begun(plan, lines, asked=None):
    session = Session(Interruptions(), lines.append)
    return prepare_run(plan, plan.build_classifier(plan.config.weights), session, asked)


def test_what_a_run_is_of_is_written_down_before_anything_is_trained(plan):
    lines = []
    run = begun(plan, lines, asked=plan.config)
    assert sorted(path.name for path in plan.run.path.iterdir()) == [
        "asked.toml",
        "classes.txt",
        "config.toml",
        "places.json",
        "splits.csv",
        "tensorboard",
    ]
    assert {name: len(images) for name, images in run.images.items()} == {
        "train": 21,
        "validation": 9,
        "test": 12,
    }
    assert run.fingerprint == plan.source.fingerprint()
    assert run.journal.found is None
    assert lines == run.skipped == []


def test_a_run_that_has_got_somewhere_is_found_there(plan):
    begun(plan, []).journal.begin("head")
    assert begun(plan, []).journal.found.state["phase"] == "head"


def test_a_run_that_is_held_is_refused_to_others_and_given_free_again(plan):
    refused = pytest.raises(UsageError, match="Another process.*--run")
    with holding(plan, "fit"), refused, holding(plan, "fit"):
        pass
    with holding(plan, "fit"):
        pass
    assert not plan.run.path.exists()  # nothing was written


def test_what_ends_a_held_run_is_named(plan):
    untrained = pytest.raises(InterruptionError, match="Nothing was trained yet")
    with untrained, holding(plan, "fit"):
        raise InterruptionError(2)
    full = pytest.raises(RunError, match="memory.*--batch-size 4")
    with full, holding(plan, "pretrain"):
        raise MemoryError
