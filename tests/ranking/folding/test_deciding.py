"""What folds decide about the fit on all images."""

import dataclasses
from types import SimpleNamespace

import pytest

from tfxfer.config.decided import DecidedFit, decided_fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.models.objectives import SOFTMAX
from tfxfer.ranking.folding.deciding import FoldFit, describe_final, settings_of_final
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import BestEpoch, FitMetrics
from tfxfer.runs.scores.summary import Summary
from tfxfer.runs.search.record import HEAD_ALONE, SearchRecord

RECIPE = """
weights = "imagenet"
image_size = 32
input_size = 32
batch_size = 8
label_smoothing = 0.0
precision = "float32"
folds = 3
folds_finetune = true
effort = "standard"
[head]
optimizer = "lbfgs"
epochs = 100
dropout = 0.0
[finetune]
epochs = 9
optimizer = "adam"
learning_rate = 0.001
warmup_epochs = 1.0
weight_decay = 0.0
clip_norm = 0.0
unfreeze = "all"
batch_norm = "frozen"
ema = 0.5
gradual = true
patience = 3
[augment]
flip = true
shift = 0.1
zoom = 0.1
rotation = 0.0
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    decided = decided_fit(read_recipe(tmp_path / "recipe.toml", FitConfig()))
    assert isinstance(decided, DecidedFit)
    return decided


def fold(epoch, penalty, *, start=None, way="", loss=0.5, changes=None):
    """Returns a fit whose best epoch of fine-tuning is this, 0 for the head."""
    best = BestEpoch("finetune", epoch) if epoch else BestEpoch("head", 20)
    search = SearchRecord(way, 2, 9, "why", changes or {}) if way else None
    scores = {"validation": Summary(0.9, loss=loss)}
    metrics = FitMetrics(scores, best=best, penalty=penalty, start_penalty=start, search=search)
    return FoldFit(metrics, ())


def decided(fits, config):
    return settings_of_final(fits, SimpleNamespace(config=config, objective=SOFTMAX))


def test_epochs_and_penalty_are_medians(config):
    fits = [fold(4, 0.1, start=1.0), fold(7, 0.1, start=3.0), fold(5, 0.3)]
    found = decided(fits, config)
    assert (found.finetune.epochs, found.head.penalty) == (5, 1.0)
    assert (found.effort, found.finetune.patience, found.finetune.gradual) == ("quick", 0, True)
    told = describe_final(fits, found, 420)
    assert told == (
        "5 epochs of fine-tuning (the median of the folds' best: 4, 7, 5), head with L2 penalty 1 "
        "(median), on all 420 images"
    )


def test_where_the_head_is_best_in_most_folds_it_is_left_alone(config):
    fits = [fold(0, 0.1, start=1.0), fold(0, 0.3, start=3.0), fold(5, 0.3, start=1.0)]
    found = decided(fits, config)
    assert (found.finetune.epochs, found.head.penalty) == (0, 0.3)
    assert (found.finetune.ema, found.finetune.gradual) == (0, False)
    assert describe_final(fits, found, 30).startswith("the head alone (the median of the folds'")


def test_a_fit_that_validation_judged_decides_alone(config):
    one = fold(6, 0.1, start=3.0, way="deep", changes={"finetune.unfreeze": "block_2"})
    found = decided([one], config)
    assert (found.finetune.epochs, found.head.penalty) == (6, 3.0)
    assert describe_final([one], found, 398) == (
        "'deep' (chosen on validation), 6 epochs of fine-tuning (the best epoch), "
        "head with L2 penalty 3, on all 398 images"
    )
    head = fold(0, 0.1)
    told = describe_final([head], decided([head], config), 30)
    assert told.startswith("the head alone (the best), head with L2 penalty 0.1,")


def test_a_single_epoch_unfreezes_at_once(config):
    found = decided([fold(1, 0.1)] * 3, config)
    assert (found.finetune.epochs, found.finetune.gradual) == (1, False)


def test_the_way_that_most_folds_chose_is_taken_with_its_own_epochs(config):
    changes = {"finetune.unfreeze": "block_2", "augment.shift": 0.0}
    ways = {"way": "deep", "changes": changes}
    fits = [fold(8, 0.1, **ways), fold(2, 0.1, **ways), fold(0, 0.3, way=HEAD_ALONE, loss=0.1)]
    found = decided(fits, config)
    assert (found.finetune.unfreeze, found.augment.shift) == ("block_2", 0.0)
    assert found.finetune.epochs == 8  # of two, the larger one
    assert "'deep' (chosen in 2 of 3 folds)" in describe_final(fits, found, 30)
    # On ties the lower validation loss decides.
    fits[1] = fold(0, 0.1, way="other", loss=0.4)
    assert decided(fits, config).finetune.epochs == 0
    assert "'head alone'" in describe_final(fits, config, 30)


def test_a_head_of_gradient_steps_has_the_median_of_its_best_epochs(config):
    def of(losses):
        epochs = [Epoch("head", n, 0.1, 0, 0, one, 0.5, 1.0) for n, one in enumerate(losses, 1)]
        return dataclasses.replace(fold(3, None), epochs=epochs)

    fits = [of([3, 1, 2]), of([3, 2, 1]), of([1, 2, 3])]
    plan = SimpleNamespace(config=config, objective=SOFTMAX)
    assert [fit.head_epochs(plan) for fit in fits] == [2, 3, 1]
