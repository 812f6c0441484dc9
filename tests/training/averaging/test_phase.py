import shutil

import keras
import numpy as np
import pytest
from conftest import small_config

from tfxfer.planning.plan import make_plan
from tfxfer.system.signals import Interruptions
from tfxfer.training.averaging.choosing import between, mean
from tfxfer.training.averaging.phase import passes_of_averaging
from tfxfer.training.epochs.session import Session
from tfxfer.training.epochs.validation import score_examples
from tfxfer.training.transfer import prepare_fit, train_phases

pytestmark = pytest.mark.slow  # whole fits

# A strong penalty leaves the head a loss that fine-tuning can lower.
HEAD = {"epochs": 3, "penalty": 3.0}


@pytest.fixture(scope="module")
def doubted(pictures, tmp_path_factory):
    """The images with a wrong label in each class of train and validation: no loss is zero."""
    folder = tmp_path_factory.mktemp("data") / "doubted"
    shutil.copytree(pictures, folder)
    for split in ("train", "validation"):
        for name, other in (("blue", "green"), ("green", "red"), ("red", "blue")):
            picture = min(folder.joinpath(split, name).glob("[0-9].jpg"))
            picture.rename(folder / split / other / f"wrong-{name}.jpg")
    return folder


def fitted(pictures, weights_file, folder, *, seen=None, callbacks=(), **finetune):
    """Returns a trained fit, the source of its outputs and what it said."""
    lines = []
    settings = {
        "head": HEAD,
        "finetune": {"epochs": 4, "learning_rate": 0.003, "decay": "constant", **finetune},
    }
    plan = make_plan(small_config(pictures, weights_file, folder, run="one", **settings))
    classifier = plan.build_classifier(plan.config.weights)
    session = Session(Interruptions(), lines.append, callbacks)
    fitting = prepare_fit(plan, classifier, session)
    if seen is not None:
        seen["model"] = classifier.model
    fitting, source = train_phases(fitting)
    return fitting, source, lines


def scores_of(fitting, source):
    given = fitting.materials
    given.classifiers.update_exact()
    objective = given.classifiers.trained.objective
    return score_examples(source.predictor("validation"), objective, given.evaluation_weights())


@pytest.mark.parametrize("batch_norm", ["frozen", "adapt"])
@pytest.mark.parametrize("average", ["soup", "wise"])
def test_what_is_kept_has_the_scores_that_the_record_says(
    average, batch_norm, doubted, weights_file, tmp_path
):
    fitting, source, lines = fitted(
        doubted, weights_file, tmp_path, average=average, batch_norm=batch_norm
    )
    record = fitting.materials.journal.notes.average
    found = scores_of(fitting, source)
    assert found.loss == pytest.approx(record.loss, rel=1e-4, abs=1e-6)
    assert found.accuracy == pytest.approx(record.accuracy, abs=1e-6)
    assert record.loss <= record.loss_without
    assert record.accuracy >= record.accuracy_without
    assert record.is_kept == (record.loss < record.loss_without)
    (line,) = [line for line in lines if line.startswith("average: ")]
    assert line == f"average: {record.sentence}"


def test_without_averaging_the_same_fit_ends_where_the_record_says(doubted, weights_file, tmp_path):
    averaged, *_ = fitted(doubted, weights_file, tmp_path / "soup", average="soup")
    plain, source, lines = fitted(doubted, weights_file, tmp_path / "plain")
    assert not any(line.startswith("average") for line in lines)
    assert plain.materials.journal.notes.average is None
    record = averaged.materials.journal.notes.average
    assert scores_of(plain, source).loss == pytest.approx(record.loss_without, rel=1e-5, abs=1e-6)


def test_a_soup_is_the_mean_of_the_epochs_that_it_names(doubted, weights_file, tmp_path):
    seen = {}
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.update({str(epoch + 1): seen["model"].get_weights()})
    )
    fitting, *_ = fitted(
        doubted, weights_file, tmp_path, seen=seen, callbacks=[note], average="soup"
    )
    record = fitting.materials.journal.notes.average
    assert record.is_kept, record.sentence  # otherwise the settings of the test are to blame
    expected = mean([seen[name] for name in record.members])
    for ours, theirs in zip(seen["model"].get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_wise_ft_goes_back_toward_the_solved_head(doubted, weights_file, tmp_path):
    seen = {}
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.update({str(epoch + 1): seen["model"].get_weights()})
    )
    fitting, *_ = fitted(
        doubted, weights_file, tmp_path, seen=seen, callbacks=[note], average="wise"
    )
    journal = fitting.materials.journal
    record = journal.notes.average
    assert record.is_kept, record.sentence
    alone, *_ = fitted(doubted, weights_file, tmp_path / "head", epochs=0)
    solved = alone.materials.classifiers.trained.model.get_weights()
    expected = between(solved, seen[record.members[0]], record.share)
    for ours, theirs in zip(seen["model"].get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_averaging_takes_passes_of_the_time_budget(pictures, weights_file, tmp_path):
    plans = {
        average: make_plan(
            small_config(pictures, weights_file, tmp_path, finetune={"average": average})
        ).config.finetune
        for average in ("none", "soup", "wise")
    }
    passes = [passes_of_averaging(plan) for plan in plans.values()]
    assert passes[0] == 0
    assert 2 <= passes[1] <= passes[2] <= 10
