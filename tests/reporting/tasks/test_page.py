"""The report of a run of several tasks: page, card and files."""

import csv

import numpy as np
import pytest
from browser import open_browser, open_page
from made import SIDE, made_findings

from tfxfer.data.labels.tasks import Tasks
from tfxfer.reporting.tasks import card, files, page
from tfxfer.reporting.tasks.findings import TasksFindings
from tfxfer.reporting.writing import render_page, write_report

TASKS = Tasks(("<b>kind</b>", "size"), (("cat & dog", "sun", "never"), ("large", "small")))


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """40 images of two tasks, of which one class never occurs."""
    generator = np.random.default_rng(0)
    labels = np.zeros((40, 5), np.float32)
    labels[np.arange(40), generator.integers(2, size=40)] = 1
    labels[np.arange(40), 3 + generator.integers(2, size=40)] = 1
    shares = 0.5 * labels + generator.random((40, 5))
    for columns in TASKS.columns.values():
        shares[:, columns] /= shares[:, columns].sum(axis=1, keepdims=True)
    labels[:5, 3:] = np.nan
    folder = tmp_path_factory.mktemp("runs") / "made"
    return made_findings(folder, TASKS.output_names, labels, shares, tasks=TASKS)


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


def test_the_page_has_a_section_of_each_task(findings):
    assert isinstance(findings, TasksFindings)
    text = render_page(findings)
    assert text == page.render(findings)
    assert "Task &lt;b&gt;kind&lt;/b&gt;" in text
    assert "<b>kind</b>" not in text
    assert "the label of 5 others is missing" in text
    confusion = findings.result.of_task["size"].confusion
    for row in confusion:
        assert all(f">{count}</td>" in text for count in row)
    assert text.count('<figure class="explained">') == sum(
        min(6, len(findings.mistakes(task))) for task in TASKS.names
    )
    assert "Grad-CAM for small" in text or "Grad-CAM for large" in text


def test_mistakes_are_ordered_by_confidence_and_never_missing(findings):
    result = findings.result
    found = findings.mistakes("size")
    assert set(found) <= set(range(5, 40))
    shares = result.probabilities[found, 3:].max(axis=1)
    assert (np.diff(shares) <= 0).all()
    for number in found:
        assert findings.labels_of(number)["size"] != findings.predicted_for(number)["size"]


def test_predictions_and_the_card_name_each_task(findings, path):
    files.write_events(findings)
    assert list((findings.run.events / "evaluation").iterdir())
    with (path.parent / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    assert list(rows[0])[1:4] == [
        f"{TASKS.names[0]}{end}" for end in ("", " predicted", " confidence")
    ]
    assert sum(not row["size"] for row in rows) == 5
    text = card.render(findings)
    assert text == (path.parent / "README.md").read_text()
    assert "with 2 tasks" in text
    assert "- size: large, small" in text
    assert "tasks.json" in text


def test_the_verdict_compares_with_the_most_frequent_class(findings):
    lines = page.verdict(findings.result)
    assert lines[1].startswith("size: test accuracy ")
    assert "35 images" in lines[1]
    assert any("Fewer than 100 images" in line for line in lines)
