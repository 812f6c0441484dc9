import dataclasses

import numpy as np
import pytest
from conftest import small_config

from tfxfer.config.schema import FinetuneConfig
from tfxfer.planning.plan import make_plan
from tfxfer.training.classifier_pair import HEAD_ALONE, ClassifierPair, Trainable


@pytest.fixture
def paired(pictures, weights_file, tmp_path):
    """Returns a function of a precision: the pair of a plan."""

    def pair(precision):
        plan = make_plan(small_config(pictures, weights_file, tmp_path, precision=precision))
        return ClassifierPair.of(plan, plan.build_classifier(plan.config.weights))

    return pair


def test_in_float32_both_classifiers_are_one(paired):
    pair = paired("float32")
    assert pair.exact is pair.trained
    assert not pair.is_mixed


def test_the_float32_copy_has_the_same_weights_and_trainable_part(paired):
    pair = paired("mixed_bfloat16")
    assert pair.is_mixed
    whole = pair.trained.num_parameters()
    for trainable in (HEAD_ALONE, Trainable("block_3", "frozen"), Trainable("all", "adapt")):
        pair.set_trainable(trainable)
        trained = pair.trained.num_trainable()
        assert pair.exact.num_trainable() == trained
        assert 0 < trained < whole
    kernel, bias = pair.trained.head.get_weights()
    pair.trained.head.set_weights([kernel + 1, bias + 2])
    assert (pair.exact.head.get_weights()[1] == bias).all()
    pair.update_exact()
    for ours, theirs in zip(
        pair.exact.model.get_weights(), pair.trained.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_head_alone_has_its_own_parameters(paired):
    pair = paired("float32")
    pair.set_trainable(HEAD_ALONE)
    assert pair.trained.num_trainable() == sum(w.size for w in pair.trained.head.get_weights())


def test_what_the_finetune_phase_trains_is_that_of_its_settings():
    settings = dataclasses.replace(FinetuneConfig(), unfreeze="conv5", batch_norm="adapt")
    assert Trainable.of(settings) == Trainable("conv5", "adapt")
