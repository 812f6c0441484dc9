"""The report of a run that predicts a number: page, card and files."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from browser import open_browser, open_page
from made import SIDE, made_findings

from tfxfer.data.labels.numbers import Number
from tfxfer.reporting.numbers import card, files, page
from tfxfer.reporting.numbers.findings import NumberFindings
from tfxfer.reporting.numbers.words import measured, metric_of_epoch
from tfxfer.reporting.words import phases
from tfxfer.reporting.writing import render_page, write_report
from tfxfer.runs.metrics_record import BestEpoch

LABELS = np.random.default_rng(0).lognormal(3, 1, size=40)
NUMBER = Number.of("<b>price</b>", LABELS)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """40 images with a number each, of which one is far off."""
    found = LABELS + np.random.default_rng(1).normal(scale=4, size=40)
    found[7] += 500
    folder = tmp_path_factory.mktemp("runs") / "made"
    return made_findings(folder, (NUMBER.name,), LABELS, found[:, None], number=NUMBER)


@pytest.fixture(scope="module")
def path(findings):
    return write_report(findings)


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_opens_without_errors_or_requests_and_fits(browser, path, width, scheme):
    with open_page(browser, path, width=width, scheme=scheme) as (shown, seen):
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        sizes = shown.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
        assert min(sizes) == SIDE
        assert seen.is_clean, seen


def test_the_page_has_errors_a_scatter_plot_and_the_worst_predictions(findings):
    assert isinstance(findings, NumberFindings)
    text = render_page(findings)
    assert text == page.render(findings)
    assert "<b>price</b>" not in text
    assert "the number &lt;b&gt;price&lt;/b&gt;" in text
    assert "Mean absolute error by epoch" in text or "mean absolute error by epoch" in text
    assert text.count('class="dot validation"') >= 40
    assert "Reliability" not in text
    assert findings.worst[0] == 7
    assert "solved in closed form" in text


@pytest.mark.parametrize(
    ("settings", "search", "chosen"),
    [
        ({"finetune": {"epochs": 0}}, None, "the L2 penalty of the head, so"),
        ({"finetune": {"epochs": 2}}, None, "the L2 penalty of the head and the best epoch, so"),
        ({"head": {"optimizer": "adam"}}, None, "choose the best epoch, so"),
        ({}, "any", "the configuration and its best epoch, so"),
    ],
)
def test_without_a_test_split_it_says_what_validation_chose(findings, settings, search, chosen):
    result = dataclasses.replace(findings.result, split="validation")
    config = findings.config.with_settings(settings)
    metrics = dataclasses.replace(findings.metrics, search=search)
    seen = dataclasses.replace(findings, result=result, config=config, metrics=metrics)
    assert chosen in " ".join(page.verdict(seen))
    assert "to choose" not in " ".join(page.verdict(findings))


def test_a_head_that_is_solved_in_closed_form_has_no_best_epoch(findings):
    best = BestEpoch("head", 1)
    metrics = dataclasses.replace(findings.metrics, best=best, target=NUMBER.as_json())
    lines = phases(findings.config, findings.epochs, metrics)
    assert lines[-1].startswith("Best: the head alone (validation ")
    finetuned = dataclasses.replace(metrics, best=BestEpoch("finetune", 1))
    assert "Best epoch: 1 of" in phases(findings.config, findings.epochs, finetuned)[-1]


def test_the_histogram_has_each_image_once_and_says_what_is_beyond(findings):
    text = page.histogram(findings.result)
    counts = [int(part.split("</b>")[0]) for part in text.split("<b>")[1:]]
    assert sum(counts) == 40
    assert counts[-1] >= 1
    assert "above " in text
    assert "below " not in text
    assert "1 image" not in page.scatter(findings.result)


def test_the_card_has_errors_and_no_classes(findings):
    text = card.render(findings)
    head = dict(line.split(": ", 1) for line in text.split("---")[1].strip().splitlines())
    assert json.loads(head["metrics"]) == ["mae", "rmse", "r_squared"]
    assert json.loads(head["pipeline_tag"]) == "other"
    assert "Baseline: always predicting" in text
    assert "numbers = model.predict(images)" in text
    assert "| R² |" in text
    assert "ridge regression in closed form" in text
    assert "validation mean absolute error" in text


def test_the_table_has_the_error_of_each_image(findings, path):
    files.write_predictions(findings)
    with findings.run.predictions.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    by_image = {row["image"]: row for row in rows}
    row = by_image["/photos/test/7.jpg"]
    assert float(row["label"]) == LABELS[7]
    assert float(row["error"]) == pytest.approx(findings.result.errors[7])
    files.write_events(findings)
    assert any((findings.run.events / "evaluation").iterdir())


def test_metrics_are_shown_in_the_unit_of_the_number(findings):
    assert measured(12345.6, findings.result) == "12,346"
    assert measured(0.5, None) == "0.5000"
    epoch = findings.epochs[-1]
    error = (1 - epoch.validation_accuracy) * NUMBER.spread
    assert metric_of_epoch(epoch, findings.metrics) == f"mean absolute error {error:.4g}"
    assert findings.shown_epochs[-1].validation_accuracy == pytest.approx(error)
