"""`fit --folds-finetune`: whole fits per fold, judged on images that they have not seen."""

import json
import re

import numpy as np
import pytest
from conftest import small_config
from messages import parts

from tfxfer.api.fit import describe_plan, fit
from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_as_it_is
from tfxfer.data.splitting import joined
from tfxfer.errors import UsageError
from tfxfer.runs.scores.folds import FoldsRecord


def test_joined_splits_have_all_images_of_both_also_one_by_one():
    digits = open_as_it_is("digits").splits["train"]
    one, other = digits.select(np.arange(5)), digits.select(np.arange(9, 12))
    both = joined(one.grouped(["a"] * 5), other)
    places = [*range(5), 9, 10, 11]
    assert both.labels.tolist() == digits.labels[places].tolist()
    assert list(both.groups) == ["a"] * 5 + [""] * 3
    assert [both.describe(i) for i in range(8)] == [digits.describe(i) for i in places]
    np.testing.assert_array_equal(both.digests(), digits.digests()[places])
    expected = [digits.read_image(i).numpy() for i in places]
    np.testing.assert_array_equal(list(both.open_images().as_numpy_iterator()), expected)
    np.testing.assert_array_equal(
        [both.read_image(np.int64(i)).numpy() for i in range(8)], expected
    )
    chosen = both.select(np.array([7, 0]))
    np.testing.assert_array_equal(
        list(chosen.open_images().as_numpy_iterator()), [expected[7], expected[0]]
    )


@pytest.mark.parametrize("of_fits", [False, True])
def test_an_average_that_validation_chooses_is_refused(of_fits):
    with pytest.raises(UsageError, match="'finetune.average' is 'soup'.*'folds'"):
        FitConfig(folds=5, folds_finetune=of_fits).with_settings({"finetune": {"average": "soup"}})


def test_it_needs_folds():
    with pytest.raises(UsageError, match=parts("'folds_finetune' ... 'folds' is 0 ... --folds 5")):
        FitConfig(folds_finetune=True)
    assert FitConfig(folds=5, folds_finetune=True, weights="none").folds == 5


def test_plan_and_record_say_what_it_is(pictures, weights_file, tmp_path):
    config = small_config(pictures, weights_file, tmp_path, folds=5, folds_finetune=True)
    plan = describe_plan(config)
    assert re.search("whole fits in 5 folds of 30 ", plan)
    assert re.search("5 fits .*4 times as long", plan)
    record = FoldsRecord(5, 30, 0.9, (0.8, 1.0), 0.2, of_fits=True)
    assert record.describe().endswith("whole fits, 5 folds of 30 images)")
    old = {"num_folds": 5, "num_examples": 30, "accuracy": 0.9, "interval": [0.8, 1.0], "loss": 0.2}
    assert not FoldsRecord.of_json(old).of_fits


@pytest.mark.slow
def test_an_interrupted_fold_is_resumed(pictures, weights_file, tmp_path, monkeypatch):
    from tfxfer.ranking.folding import fits as fold_fits

    settings = {"head": {"epochs": 2}, "finetune": {"epochs": 1}}
    config = small_config(pictures, weights_file, tmp_path, run="folded", **settings)
    folded = config.with_settings({"folds": 3, "folds_finetune": True})
    train, trained = fold_fits.train, []

    def train_once(plan, *others):
        if trained:
            raise KeyboardInterrupt
        trained.append(plan.run.path.name)
        return train(plan, *others)

    monkeypatch.setattr(fold_fits, "train", train_once)
    with pytest.raises(KeyboardInterrupt):
        fit(folded, say=lambda _: None)
    monkeypatch.setattr(fold_fits, "train", train)
    lines = []
    result = fit(folded, say=lines.append)
    told = result.metrics["folds"]
    assert (told["num_folds"], told["num_examples"], told["of_fits"]) == (3, 30, True)
    assert [line.split(":")[0] for line in lines if line.startswith("\nfold ")] == [
        f"\nfold {number} of 3" for number in (1, 2, 3)
    ]
    labels = {}
    for number in (1, 2, 3):
        run = result.run / f"fold-{number}"
        assert not (run / "model.keras").exists()
        with np.load(run / "out_of_fold.npz") as content:
            labels |= dict.fromkeys(map(bytes, content["digests"]))
    assert len(labels) == 30
    # The first was trained once only: its journal says that it had been interrupted never.
    assert trained == ["fold-1"]
    metrics = json.loads((result.run / "fold-1" / "metrics.json").read_text())
    assert metrics["test"]["num_examples"] == 10
    assert "of whole fits, in 3 folds" in (result.run / "report.html").read_text()


@pytest.mark.slow
def test_three_classes_of_three_images_are_cross_validated(weights_file, tmp_path):
    from conftest import write_pictures

    write_pictures(tmp_path / "nine", 3)
    settings = {"head": {"epochs": 2}, "finetune": {"epochs": 1}, "folds": 3}
    config = small_config(
        tmp_path / "nine", weights_file, tmp_path, folds_finetune=True, **settings
    )
    told = fit(config, say=lambda _: None).metrics["folds"]
    assert told["num_examples"] >= 6
