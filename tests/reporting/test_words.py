"""What a run was asked and did, in words that are true of it."""

import dataclasses
import shlex

import pytest
from made import guesses, made_epochs, made_findings

from tfxfer.cli import app
from tfxfer.config.schema import FitConfig
from tfxfer.reporting import words
from tfxfer.runs.metrics_record import (
    BestEpoch,
    CalibrationErrors,
    CalibrationRecord,
    ComparisonRecord,
    Summary,
)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    return made_findings(folder, ["a", "b", "c"], *guesses(200, 3, 0.8))


def test_the_command_asks_for_the_same_settings(monkeypatch):
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


def test_a_switch_stands_alone_and_what_is_open_takes_a_word():
    asked = FitConfig(data="d e", calibrate=True).with_settings({"augment": {"flip": False}})
    assert words.asked(asked) == "tfxfer fit --data 'd e' --calibrate --augment-flip False"


def test_the_verdict_counts_and_says_what_it_rests_on(findings):
    result = findings.result
    first, *rest = words.verdict(result)
    right = int(result.confusion.trace())
    assert first.startswith(f"{right} of 200 test images are recognised: {right / 200:.1%}.")
    low, high = result.intervals["accuracy"]
    assert f"between {low:.1%} and {high:.1%}" in first
    common = result.classes.support.max() / 200
    assert rest == [
        f"Always answering with the most frequent class would be right for {common:.1%}."
    ]


def test_the_verdict_warns_where_validation_judges_and_where_images_are_few(findings):
    few = dataclasses.replace(findings.result, split="validation", num_examples=50)
    told = " ".join(words.verdict(few))
    assert "no test split: the validation images also chose the epoch" in told
    assert "These are few images" in told


def test_uneven_classes_are_told_with_the_balanced_accuracy(findings):
    uneven = dataclasses.replace(findings.result, uneven_classes=True, balanced_accuracy=0.5)
    assert any("balanced accuracy" in line and "50.0%" in line for line in words.verdict(uneven))


@pytest.mark.parametrize(
    ("temperature", "after", "expected"),
    [
        (2.0, 0.02, "surer than it is right. With --calibrate the error would be 0.020"),
        (0.5, 0.099, "less sure than it is right."),
    ],
)
def test_the_calibration_is_told_and_what_would_mend_it(temperature, after, expected):
    scores = CalibrationErrors(error=0.1, error_at_temperature=after)
    found = CalibrationRecord(temperature, {"test": scores}, applied=False)
    told = words.calibration(found, "test")
    assert told.startswith("The calibration error is 0.100.")
    assert expected in told
    assert ("--calibrate" in told) == (after < 0.05)
    told = words.calibration(dataclasses.replace(found, applied=True), "test")
    assert f"at temperature {temperature:g}" in told
    assert f"is {after:.3f}, without it 0.100" in told
    assert words.calibration(None, "test") is None


@pytest.mark.parametrize("applied", [False, True])
def test_where_validation_asks_for_no_temperature_none_is_spoken_of(applied):
    scores = CalibrationErrors(error=0.1, error_at_temperature=0.1)
    told = words.calibration(CalibrationRecord(1.0, {"test": scores}, applied), "test")
    assert told == "The calibration error is 0.100; validation asks for no temperature."


def test_the_phases_are_told_in_their_order(findings):
    config = findings.config
    best = BestEpoch(phase="finetune", epoch=2)
    head, finetune, kept = words.phases(config, made_epochs(), 0.1, best)
    assert head.startswith("The head was trained with the backbone frozen")
    assert head.endswith("penalty chosen on validation, which was 0.1.")
    assert finetune.startswith(
        "Then the head and the whole backbone, BatchNorm frozen: Adam, 2 epochs"
    )
    assert "the images changed by flip, shift 10%" in finetune
    assert "were run" not in finetune
    assert kept.startswith("Kept was epoch 2 of the finetune phase")


def test_a_phase_that_ended_early_says_so_and_one_that_was_left_out_is_not_told(findings):
    config = findings.config.with_settings({"head": {"epochs": 0, "optimizer": "adam"}})
    (told,) = words.phases(config, made_epochs()[:3], None, None)
    assert told.startswith("The head and the whole backbone")
    assert "1 of the 2 epochs were run" in told


def test_what_transfer_was_worth_is_told_only_where_it_was_measured():
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
    assert told.startswith("Pretraining helped: on 100 training images the test accuracy is 0.9000")
    assert "+25.0 points where chance explains 5.0" in told
    assert words.transfer(None) is None
