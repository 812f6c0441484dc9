"""The charts over the epochs of a run."""

import dataclasses
import re

import numpy as np
import pytest
from made import guesses, made_epochs, made_findings

from tfxfer.reporting.curves import curves, range_test
from tfxfer.runs.metrics_record import BestEpoch
from tfxfer.runs.search.rates import RangeTest


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    return made_findings(folder, ["a", "b"], *guesses(10, 2, 0.5))


def test_the_best_epoch_is_marked_if_there_is_one(findings):
    drawn = curves(made_epochs(), findings.config, BestEpoch("finetune", 2))
    assert list(drawn["charts"]) == ["loss", "accuracy", "learning rate"]
    assert all('class="best"' in chart for chart in drawn["charts"].values())
    assert drawn["has_best"]
    assert drawn["solved"]  # by L-BFGS
    assert not curves(made_epochs(), findings.config, None)["has_best"]


def test_there_is_no_chart_of_learning_rates_if_only_lbfgs_trained(findings):
    epochs = [epoch for epoch in made_epochs() if epoch.phase == "head"]
    assert list(curves(epochs, findings.config, None)["charts"]) == ["loss", "accuracy"]


def test_rates_of_phases_that_are_far_apart_are_on_a_logarithmic_scale(findings):
    epochs = made_epochs()

    def numbers(rates):
        changed = [
            dataclasses.replace(epoch, learning_rate=rate)
            for epoch, rate in zip(epochs, rates, strict=True)
        ]
        config = findings.config.with_settings({"head": {"optimizer": "adam"}})
        chart = curves(changed, config, None)["charts"]["learning rate"]
        return set(re.findall(r">([\d.e-]+)</text>", str(chart)))

    assert {"0.01", "0.001", "0.0001"} <= numbers([1e-2, 1e-2, 1e-4, 5e-5])
    # What decays to nothing within a phase is no reason for it.
    assert "0.001" not in numbers([1e-2, 1e-2, 5e-3, 1e-9])


def test_a_range_test_is_drawn_over_powers_of_ten_with_its_suggestion():
    rates = np.geomspace(1e-6, 1e-2, 41).tolist()
    losses = [1 - rate / 1e-3 if rate < 1e-3 else 5 * rate / 1e-3 for rate in rates]
    test = RangeTest.of(rates, losses)
    shown = range_test(test, 0.25)
    assert shown.chart.count('<path class="line') == 2
    assert "suggested" in shown.chart
    for tick in ("-6", "-2"):
        assert f">{tick}</text>" in shown.chart
    assert shown.sentence == test.sentence(0.25)
    assert "smoothed" in shown.legend
    assert range_test(None, 0.25) is None
    rising = range_test(RangeTest.of(rates, rates), 0.25)
    assert "suggested" not in rising.chart
