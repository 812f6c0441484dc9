"""An interrupted and resumed run on texts ends exactly as an uninterrupted one, bit for bit."""

import contextlib

import killing
import numpy as np
import pytest
from dying import Death, dying
from made_texts import small

import tfxfer
from tfxfer.config.schema import FitConfig
from tfxfer.errors import RunError
from tfxfer.system.signals import Interruptions
from tfxfer.text.planning.plan import make_text_plan
from tfxfer.text.training.phases import prepare_text_run, train_fit
from tfxfer.training.epochs.session import Session

pytestmark = pytest.mark.slow

EACH_STEP = {"checkpoint_minutes": 1e-9}
MOMENTS = ["finetune  epoch 1", "finetune  epoch 2", "\ntest acc"]
CASES = {
    "lstm": {"backbone": "lstm"},
    "textcnn": {"backbone": "textcnn", "class_weights": "balanced", "calibrate": True},
    "average": {"backbone": "average", "finetune": {"epochs": 3, "ema": 0.9}},
    "rates": {"backbone": "gru", "finetune": {"epochs": 3, "layer_decay": 0.5, "patience": 2}},
}


def settings(reviews, folder, case, **others):
    given = {"finetune": {"epochs": 3, "learning_rate": 0.02}, **case, **others}
    return small(
        data=str(reviews),
        run="killed",
        runs_dir=str(folder / "runs"),
        export_dir=str(folder / "exports"),
        **given,
    )


def check_it_ends_the_same(reviews, tmp_path, case, moments):
    whole, died = tmp_path / "whole", tmp_path / "died"
    tfxfer.fit(say=lambda _: None, **settings(reviews, whole, case))
    for moment in moments:
        with contextlib.suppress(Death):
            tfxfer.fit(say=dying(moment), **settings(reviews, died, case, **EACH_STEP))
    said = []
    result = tfxfer.fit(resume=died / "runs" / "killed", say=said.append)
    outcomes = [killing.outcome(killing.Place(folder)) for folder in (whole, died)]
    assert killing.differences(*outcomes) == []
    assert not list(result.run.rglob(".*"))
    assert not (result.run / "checkpoints").exists()
    assert "before resuming" in "\n".join(said)


@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_died_again_and_again_ends_the_same(reviews, tmp_path, name):
    check_it_ends_the_same(reviews, tmp_path, CASES[name], MOMENTS)


def test_a_fit_on_a_pretrained_backbone_that_died_ends_the_same(finished_texts, reviews, tmp_path):
    result, _ = finished_texts
    case = {"backbone": "lstm", "weights": str(result.run), "text": {}}
    check_it_ends_the_same(reviews, tmp_path, case, ["head  ", *MOMENTS])


@pytest.mark.parametrize("objective", ["labels", "next-word"])
def test_a_pretraining_that_died_ends_the_same(reviews, tmp_path, objective):
    def given(folder, **others):
        return {
            "data": str(reviews), "backbone": "gru", "run": "killed", "epochs": 3,
            "objective": objective,
            "text": small(backbone="gru")["text"], "runs_dir": str(folder / "runs"), **others,
        }  # fmt: skip

    whole, died = tmp_path / "whole", tmp_path / "died"
    tfxfer.pretrain(say=lambda _: None, **given(whole))
    for moment in ("pretrain  epoch 1", "pretrain  epoch 2"):
        with contextlib.suppress(Death):
            tfxfer.pretrain(say=dying(moment), **given(died, **EACH_STEP))
    tfxfer.pretrain(resume=died / "runs" / "killed", say=lambda _: None)
    outcomes = [killing.outcome(killing.Place(folder)) for folder in (whole, died)]
    assert killing.differences(*outcomes) == []


def test_other_texts_are_not_resumed_on(reviews, tmp_path):
    given = settings(reviews, tmp_path, CASES["average"], **EACH_STEP)
    with contextlib.suppress(Death):
        tfxfer.fit(say=dying("finetune  epoch 1"), **given)
    with pytest.raises(RunError, match="the data changed"):
        tfxfer.fit(**{**given, "data": str(reviews / "train")}, say=lambda _: None)


def test_a_frozen_backbone_stays_as_it_is(finished_texts, reviews, tmp_path):
    result, _ = finished_texts
    case = {"backbone": "lstm", "weights": str(result.run), "text": {}, "finetune": {"epochs": 0}}
    given = settings(reviews, tmp_path, case)
    plan = make_text_plan(FitConfig().with_settings(given))
    before = [w.copy() for w in plan.classifier.backbone.get_weights()]
    run = prepare_text_run(plan, Session(Interruptions(), lambda _: None))
    train_fit(run)
    after = plan.classifier.backbone.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert run.journal.notes.num_trained == plan.classifier.head.count_params()
    assert run.journal.notes.penalty > 0


def test_a_time_budget_limits_training(reviews, tmp_path):
    said = []
    case = {"backbone": "average", "finetune": {"epochs": 50_000}, "max_minutes": 0.45}
    result = tfxfer.fit(say=said.append, **settings(reviews, tmp_path, case))
    assert any("shortened to" in line for line in said)
    assert result.metrics["seconds"]["total"] < 90
