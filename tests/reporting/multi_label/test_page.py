"""The report of a run for several labels: page, card and files."""

import csv

import numpy as np
import pytest
from browser import open_browser, open_page
from made import SIDE, made_findings

from tfxfer.reporting.multi_label import card, files, page
from tfxfer.reporting.multi_label.findings import MultiLabelFindings
from tfxfer.reporting.writing import render_page, write_report

NAMES = ["<b>cat</b>", 'dog & "co"', "sun | rain", "never"]
THRESHOLDS = np.array([0.4, 0.5, 0.6, 0.5])


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """40 images of four labels, of which the last never occurs."""
    generator = np.random.default_rng(0)
    labels = (generator.random((40, 4)) < [0.6, 0.4, 0.3, 0]).astype("float32")
    probabilities = 0.4 * labels + 0.6 * generator.random((40, 4))
    labels[:5, 1] = np.nan
    folder = tmp_path_factory.mktemp("runs") / "made"
    return made_findings(folder, NAMES, labels, probabilities, thresholds=THRESHOLDS)


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


def test_the_page_shows_each_label_and_nothing_of_one_class(browser, path, findings):
    result = findings.result
    with open_page(browser, path) as (shown, _):
        rows = shown.eval_on_selector_all(
            "#classes tbody tr", "rows => rows.map(row => [...row.cells].map(c => c.textContent))"
        )
        assert [row[0] for row in rows] == NAMES
        assert [int(row[2]) for row in rows] == result.classes.support.tolist()
        assert [int(row[3]) for row in rows] == [0, 5, 0, 0]
        shown_precision = [f"{value:.4f}" for value in result.average_precision[:3]]
        assert [row[4] for row in rows] == [*shown_precision, "-"]
        counts = shown.eval_on_selector_all(
            "#co-occurrence tbody td", "all => all.map(one => parseInt(one.textContent))"
        )
        assert np.reshape(counts, (4, 4)).tolist() == [
            [int(f"{true}{predicted}") for true, predicted in zip(*pair)]
            for pair in zip(result.co_occurrence, result.predicted_together)
        ]
        assert shown.locator("#curves + p + .grid figure").count() == 3  # of labels that occur
        text = shown.inner_text("body")
    assert "onfusion" not in text
    assert "top-5" not in text
    assert f"mean average precision {result.mean_average_precision:.3f} over 3 labels" in text


def test_the_most_certain_mistake_of_each_image_comes_first(findings):
    assert isinstance(findings, MultiLabelFindings)
    assert render_page(findings) == page.render(findings)
    certainties = [findings.certainty[place] for place in findings.mistakes]
    assert certainties == sorted(certainties, reverse=True)
    wrong = (findings.result.predicted != (findings.result.labels == 1)) & findings.result.is_known
    assert (
        sorted(image for image, _ in findings.mistakes)
        == np.flatnonzero(wrong.any(axis=1)).tolist()
    )
    assert all(wrong[place] for place in findings.mistakes)


def test_predictions_have_the_labels_and_all_probabilities(findings, path):
    files.write_predictions(findings)
    with findings.run.predictions.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    number = int(rows[0]["image"].rpartition("/")[2].removesuffix(".jpg"))
    assert rows[0]["labels"] == "|".join(findings.labels_of(number))
    shares = [float(rows[0][f"probability of {name}"]) for name in NAMES]
    assert shares == pytest.approx(findings.result.probabilities[number], abs=1e-6)


def test_the_card_says_what_the_model_gives(findings, path):
    text = findings.run.model_card.read_text()
    assert text == card.render(findings)
    assert '"mean_average_precision"' in text
    assert "`thresholds.json`" in text
    assert "always predicts one" not in text
    assert "| never | 0 | - | 0.5000 | 0.0000 |" in text
