"""The sentences on a run are true of it."""

import dataclasses
import re
import shlex

import pytest
from made import guesses, made_epochs, made_findings

from tfxfer.cli import app
from tfxfer.config.schema import FitConfig
from tfxfer.reporting import words
from tfxfer.runs.metrics_record import (
    ComparisonRecord,
    FitMetrics,
    Summary,
)
from tfxfer.runs.scores.calibration import CalibrationErrors, CalibrationRecord
from tfxfer.runs.search.average import AverageRecord


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    return made_findings(folder, ["a", "b", "c"], *guesses(200, 3, 0.8))


def test_the_command_line_gives_the_same_settings(monkeypatch):
    asked = FitConfig(
        data="my photos", backbone="vgg16", weights="none", calibrate=True, max_minutes=1.5
    ).with_settings(
        {
            "head": {"hidden_units": [64, 32], "dropout": 0.25, "optimizer": "adam"},
            "finetune": {"unfreeze": "block5", "batch_norm": "frozen", "learning_rate": 3e-05},
            "augment": {"flip": True},
        }
    )
    program, verb, *options = shlex.split(words.asked(asked))
    assert (program, verb) == ("tfxfer", "fit")
    found = {}
    command = app.main.commands["fit"]
    monkeypatch.setattr(command, "callback", lambda context, **_: found.update(context.obj))
    context = command.make_context("fit", options)
    assert FitConfig().with_settings(context.obj) == asked


def test_a_flag_has_no_value_and_an_optional_boolean_has_one():
    asked = FitConfig(data="d e", calibrate=True).with_settings({"augment": {"flip": False}})
    assert words.asked(asked) == "tfxfer fit --data 'd e' --calibrate --augment-flip False"


def test_the_verdict_has_the_accuracy_its_interval_and_the_baseline(findings):
    result = findings.result
    first, baseline = words.verdict(result)
    correct = int(result.confusion.trace())
    assert first.startswith("Test accuracy")
    for fact in (f"{correct / 200:.1%}", f"{correct} of 200 images", "95%"):
        assert fact in first
    low, high = (100 * end for end in result.intervals["accuracy"])
    assert f"{low:.1f} to {high:.1f}".replace(".0", "") in first.replace(".0", "")
    assert f"{result.classes.support.max() / 200:.1%}" in baseline
    assert "most frequent class" in baseline


def test_the_verdict_warns_where_validation_is_evaluated_and_where_images_are_few(findings):
    few = dataclasses.replace(findings.result, split="validation", num_examples=50)
    told = " ".join(words.verdict(few))
    assert told.startswith("Validation accuracy")
    assert "no test split" in told
    assert "best epoch" in told
    assert "Fewer than" in told


def test_imbalanced_classes_are_described_with_the_balanced_accuracy(findings):
    result = dataclasses.replace(findings.result, imbalanced=True, balanced_accuracy=0.5)
    assert any("balanced accuracy" in line and "50.0%" in line for line in words.verdict(result))


@pytest.mark.parametrize(
    ("temperature", "after", "expected"),
    [
        (2.0, 0.02, " overconfident"),
        (0.5, 0.099, " underconfident"),
        (1.001, 0.099, " neither overconfident nor underconfident"),
    ],
)
def test_the_calibration_is_described_and_what_improves_it(temperature, after, expected):
    scores = CalibrationErrors(error=0.1, error_at_temperature=after)
    found = CalibrationRecord(temperature, {"test": scores}, applied=False)
    told = words.calibration(found, "test")
    for fact in ("error 0.100", f"{temperature:.3g}", expected):
        assert fact in told
    assert ("--calibrate" in told) == (after < 0.05)
    assert (f"{after:.3f}" in told) == (after < 0.05)
    told = words.calibration(dataclasses.replace(found, applied=True), "test")
    assert f"at temperature {temperature:.3g}" in told
    assert f"error {after:.3f}" in told
    assert "0.100 without" in told
    assert "--calibrate" not in told
    assert words.calibration(None, "test") is None


@pytest.mark.parametrize("applied", [False, True])
def test_where_temperature_scaling_does_not_help_no_temperature_is_given(applied):
    scores = CalibrationErrors(error=0.1, error_at_temperature=0.1)
    told = words.calibration(CalibrationRecord(1.0, {"test": scores}, applied), "test")
    assert "error 0.100" in told
    assert "does not help" in told
    assert "--calibrate" not in told


def test_the_phases_are_described_in_their_order(findings):
    config = findings.config
    head, finetune, best_epoch = words.phases(config, made_epochs(), findings.metrics)
    assert head.startswith("Head phase")
    for fact in ("backbone frozen", "chosen on validation (0.1)"):
        assert fact in head
    assert finetune.startswith("Finetune phase")
    for fact in ("the whole backbone, BatchNorm frozen", "2 epochs", "flip, shift 10%"):
        assert fact in finetune
    assert "Ran" not in finetune
    assert best_epoch.startswith("Best epoch: 2 of the finetune phase")


def test_an_average_is_told_in_place_of_the_weights_of_the_best_epoch(findings):
    soup = AverageRecord("soup", "epoch", ("7", "9"), 5, 0.25, 0.95, 0.5, 0.9)
    none = dataclasses.replace(soup, members=())
    for record in (soup, none):
        metrics = dataclasses.replace(findings.metrics, average=record)
        *_, best_epoch, average = words.phases(findings.config, made_epochs(), metrics)
        assert ("weights were saved" in best_epoch) == (record is none)
        assert average == record.sentence


def test_only_the_settings_asked_for_find_an_average_of_trials_again(findings):
    trials = AverageRecord("soup", "trial", ("a", "b"), 3, 0.25, 0.95, 0.5, 0.9)
    for record, expected in (
        (None, "config.toml"),
        (trials, "asked.toml"),
        (dataclasses.replace(trials, of="epoch"), "config.toml"),
        (dataclasses.replace(trials, members=()), "config.toml"),
    ):
        metrics = dataclasses.replace(findings.metrics, average=record)
        assert words.settings_to_repeat(findings.run, metrics).name == expected


def test_a_run_is_described_when_its_preset_is_no_longer_there(findings):
    finetune = dataclasses.replace(findings.config.finetune, unfreeze="stack3")
    config = dataclasses.replace(
        findings.config, backbone="kerashub:/gone/net", weights="preset", finetune=finetune
    )
    assert words.network(config, None, 3).startswith(
        "Backbone: kerashub:/gone/net, weights 'preset', at"
    )
    _, finetuned, _ = words.phases(config, made_epochs(), findings.metrics)
    assert "training the head and the backbone (stack3)" in finetuned


def test_both_penalties_are_named_if_finetuning_starts_from_another_head(findings):
    metrics = dataclasses.replace(findings.metrics, penalty=0.001, start_penalty=0.03)
    head = words.phases(findings.config, made_epochs(), metrics)[0]
    assert re.search(r"chosen on validation \(0\.001; .*fine-tun.*head.* 0\.03\)", head)


def test_a_phase_that_ended_early_is_described_so_and_one_that_was_left_out_is_not(findings):
    config = findings.config.with_settings({"head": {"epochs": 0, "optimizer": "adam"}})
    (told,) = words.phases(config, made_epochs()[:3], FitMetrics())
    assert told.startswith("Finetune phase")
    assert "1 of 2 epochs" in told


def test_how_much_pretraining_helped_is_described_only_if_it_was_measured():
    comparison = ComparisonRecord(
        num_train=100,
        epochs=5,
        split="test",
        gain=0.25,
        margin=0.05,
        verdict="helped",
        pretrained=Summary(accuracy=0.9),
        scratch=Summary(accuracy=0.65),
    )
    told = words.transfer(comparison)
    assert told.startswith("Pretraining helped")
    for fact in (
        "100 images",
        "test accuracy 90.0%",
        "65.0%",
        "5 epochs",
        "+25.0 percentage points",
        " 5.0)",
    ):
        assert fact in told
    assert words.transfer(None) is None


def test_the_command_that_repeats_a_run_gives_it_another_name():
    assert words.repeating("photos")[-2:] == ["--run", "photos-again"]
    assert "runs/photos/config.toml" in words.repeating("photos", "runs/photos/config.toml")
