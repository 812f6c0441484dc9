import numpy as np
import pytest
from conftest import small_config

from tfxfer.errors import InterruptionError
from tfxfer.planning.plan import make_plan
from tfxfer.runs.search.rates import read_rates
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session
from tfxfer.training.epochs.state import generator_states
from tfxfer.training.head_phase import train_head
from tfxfer.training.rates.range_test import find_rate
from tfxfer.training.transfer import prepare_fit


def prepared(pictures, weights_file, folder, **settings):
    lines = []
    config = small_config(pictures, weights_file, folder, run="one", find_rate=True, **settings)
    plan = make_plan(config)
    classifier = plan.build_classifier(plan.config.weights)
    session = Session(Interruptions(), lines.append)
    return prepare_fit(plan, classifier, session).materials, plan.run, lines


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"finetune": {"batch_norm": "adapt", "layer_decay": 0.5}, "head": {"dropout": 0.5}},
        {"augment": {"flip": False, "shift": 0.0, "zoom": 0.0, "rotation": 0.0}},
        {"augment": {"mixup": 0.2}},
        {"precision": "mixed_bfloat16"},
    ],
    ids=["default", "adapting", "cached", "mixed", "bfloat16"],
)
def test_the_loss_of_each_step_is_noted_and_the_weights_are_as_before(
    settings, pictures, weights_file, tmp_path
):
    given, run, lines = prepared(pictures, weights_file, tmp_path, **settings)
    start = train_head(given).start
    model = given.classifiers.trained.model
    before, generators = model.get_weights(), generator_states(model)
    find_rate(given, run, start)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(generator_states(model), generators, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    found = read_rates(run)
    assert found.rates[0] == 1e-6
    assert np.diff(np.log(found.rates)) == pytest.approx(np.log(1e6) / 99, rel=1e-6)
    assert 10 < len(found.rates) <= 100
    assert found.has_diverged or found.rates[-1] == pytest.approx(1.0)
    (line,) = [line for line in lines if line.startswith("learning rate range test")]
    assert line.endswith(found.sentence(given.config.finetune.learning_rate))
    # The first step is at the head that fine-tuning starts from, which is better than a guess.
    assert found.losses[0] < np.log(3)
    assert given.journal.history.best.phase == "head"


@pytest.mark.slow
def test_a_signal_ends_it(pictures, weights_file, tmp_path):
    given, run, _ = prepared(pictures, weights_file, tmp_path)
    start = train_head(given).start
    before = given.classifiers.trained.model.get_weights()
    given.journal.interruptions.received = 2
    with pytest.raises(InterruptionError):
        find_rate(given, run, start)
    assert not RunDirectory(run.path).rates.exists()
    for ours, theirs in zip(given.classifiers.trained.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
