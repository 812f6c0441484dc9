import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.schema import PretrainConfig
from tfxfer.models.objectives import accuracy
from tfxfer.planning.plan import make_pretrain_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session
from tfxfer.training.preparation import prepare_run
from tfxfer.training.pretraining import train_epochs


@pytest.mark.slow
def test_the_classifier_and_the_run_have_the_best_weights(pictures, tmp_path):
    config = PretrainConfig(
        data=str(pictures),
        backbone=SMALL_BACKBONE,
        image_size=32,
        batch_size=8,
        epochs=2,
        runs_dir=str(tmp_path),
    )
    plan = make_pretrain_plan(config)
    session = Session(Interruptions(), lambda _: None)
    run = prepare_run(plan, plan.build_classifier(), session)
    train_epochs(run)
    assert [epoch.phase for epoch in run.journal.history.epochs] == ["pretrain", "pretrain"]
    assert run.journal.found is None
    validation = run.images["validation"]
    logits = run.classifier.model.predict(np.array(validation.kept, "float32"), verbose=0)
    best = run.journal.history.best
    assert accuracy(logits, validation.labels) == pytest.approx(best.validation_accuracy)
    trained = run.classifier.model.get_weights()
    run.classifier.model.load_weights(plan.run.best_weights)
    for ours, theirs in zip(trained, run.classifier.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
