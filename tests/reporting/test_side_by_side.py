"""The comparison of runs: what differs, and whether significantly."""

import dataclasses
import math
import re

import pytest
from made import guesses, made_findings

from tfxfer.config.recipes import to_toml
from tfxfer.errors import UsageError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.reporting import side_by_side
from tfxfer.reporting.writing import _write_predictions
from tfxfer.runs.history import History
from tfxfer.system.files import write_json


def reported(folder, name, *, share_right=0.8, seed=0, **settings):
    """Returns a run of made findings, read from the files that a report leaves."""
    findings = made_findings(
        folder / name, ["a", "b", "c"], *guesses(120, 3, share_right, seed=seed)
    )
    run = findings.run
    run.config.write_text(to_toml(findings.config.with_settings(settings)))
    write_json(run.metrics, findings.metrics.as_json())
    write_json(run.evaluation, findings.result.as_json())
    _write_predictions(findings)
    history = History(run, SOFTMAX.rank)
    for epoch in findings.epochs:
        history.add(epoch)
    history.close()
    return side_by_side.read(run)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [
        reported(folder, "good"),
        reported(folder, "bad", share_right=0.2, seed=0, batch_size=4),
    ]


def test_what_lies_in_a_run_is_read_back(runs):
    good, bad = runs
    assert (good.name, bad.name) == ("good", "bad")
    assert len(good.is_correct) == 120
    assert sum(good.is_correct.values()) / 120 == pytest.approx(good.scores["accuracy"])
    assert [epoch.phase for epoch in good.epochs] == ["head", "head", "finetune", "finetune"]


def with_correct(run, name, is_correct):
    correct = {str(i): bool(one) for i, one in enumerate(is_correct)}
    return dataclasses.replace(run, name=name, is_correct=correct)


@pytest.mark.parametrize(
    ("only_first", "only_other", "differ"),
    [(5, 0, False), (6, 0, True), (9, 2, False), (0, 0, False)],
)
def test_a_difference_is_significant_by_the_images_on_which_only_one_run_is_correct(
    runs, only_first, only_other, differ
):
    first = with_correct(runs[0], "x", [1] * only_first + [0] * only_other + [1, 0])
    other = with_correct(runs[1], "y", [0] * only_first + [1] * only_other + [1, 0])
    told = side_by_side._against(first, other)
    assert re.search(rf"\b{only_first}\b.*\bx only.*\b{only_other}\b.*\by only", told)
    if only_first + only_other == 0:
        assert "no difference" in told
        assert "p =" not in told
        return
    n, k = only_first + only_other, max(only_first, only_other)
    tail = sum(math.comb(n, i) for i in range(k, n + 1)) / 2**n
    assert f"p = {min(1, 2 * tail):.2g}" in told
    assert "McNemar" in told
    assert ("not significant" in told) == (not differ)


def test_runs_on_different_images_are_not_compared(runs):
    other = with_correct(runs[1], "y", [1, 1])
    told = side_by_side._against(runs[0], other)
    for fact in ("good", "y", "different images"):
        assert fact in told
    assert "McNemar" not in told
    assert "not comparable" in side_by_side.render([runs[0], other])
    assert "not comparable" not in side_by_side.render(runs)


def test_only_settings_that_differ_are_listed(runs):
    assert side_by_side._settings(runs) == [{"name": "batch_size", "values": ["8", "4"]}]


def test_the_page_has_each_number_with_its_interval(runs):
    text = side_by_side.render(runs)
    for run in runs:
        low, high = run.scores["intervals"]["accuracy"]
        assert f"{run.scores['accuracy']:.4f}" in text
        assert f"{low:.4f} to {high:.4f}" in text
    assert "1,000" in text  # parameters


def test_classes_that_one_run_does_not_know_have_no_number_there(runs):
    good, bad = runs
    fewer = dataclasses.replace(
        bad,
        scores={
            **bad.scores,
            "classes": [one for one in bad.scores["classes"] if one["name"] != "b"],
        },
    )
    (row,) = [row for row in side_by_side._classes([good, fewer]) if row["name"] == "b"]
    assert math.isnan(row["values"][1])
    assert row["spread"] == 0
    assert "nan" not in side_by_side.render([good, fewer])


def test_a_corrupt_report_is_named(runs, tmp_path):
    reported(tmp_path, "corrupt")
    (tmp_path / "corrupt" / "evaluation.json").write_text("{")
    from tfxfer.system.run_layout import RunDirectory

    with pytest.raises(UsageError, match=r"Cannot read the report of '.*corrupt'"):
        side_by_side.read(RunDirectory(tmp_path / "corrupt"))
