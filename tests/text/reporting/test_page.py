import dataclasses
import re

import pytest

from tfxfer.runs.history import read_history
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.reporting.card import render_card
from tfxfer.text.reporting.findings import TextFindings
from tfxfer.text.reporting.marking import readable
from tfxfer.text.reporting.page import render
from tfxfer.text.reporting.writing import write_text_report
from tfxfer.text.verbs.report import _evaluated

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def findings(finished_texts):
    result, _ = finished_texts
    return _evaluated(RunDirectory(result.run))


def test_the_most_confident_mistakes_come_first(findings):
    wrong = findings.mistakes
    confidence = findings.result.probabilities.max(axis=1)[wrong]
    assert list(confidence) == sorted(confidence, reverse=True)
    assert (findings.predicted[wrong] != findings.result.labels[wrong]).all()
    assert isinstance(findings, TextFindings)


def test_the_page_has_the_numbers_and_escapes_texts(findings):
    texts = ["<script>alert(1)</script>"] * len(findings.scored.texts)
    swapped = dataclasses.replace(findings.result, labels=1 - findings.result.labels)
    scored = dataclasses.replace(findings.scored, texts=tuple(texts), result=swapped)
    page = render(dataclasses.replace(findings, scored=scored))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert f"{findings.result.loss:.4f}" in render(findings)
    accuracy = re.search(r"Test accuracy ([0-9.]+)%", render(findings))
    assert float(accuracy[1]) == pytest.approx(100 * findings.result.accuracy, abs=0.05)


def test_the_card_is_that_of_a_text_classifier(findings):
    card = render_card(findings)
    assert 'pipeline_tag: "text-classification"' in card
    assert "reads the first 24 words" in card
    assert len(read_history(findings.run)) == len(findings.epochs)


def test_results_are_written_into_the_run(findings, tmp_path):
    path = write_text_report(findings, tmp_path / "page.html")
    assert path.read_text().startswith("<!doctype html>")
    assert findings.run.evaluation.is_file()


def test_words_of_mistakes_are_marked(findings):
    wrong = dataclasses.replace(findings.result, labels=1 - findings.result.labels)
    scored = dataclasses.replace(findings.scored, result=wrong)
    page = render(dataclasses.replace(findings, scored=scored))
    marks = re.findall(r'<mark class="(for|against)" style="--weight: (\d+)%">([^<]+)</mark>', page)
    assert {kind for kind, _, _ in marks} == {"for", "against"}
    assert {"70"} <= {weight for kind, weight, _ in marks}
    words = {word for text in findings.scored.texts for word in readable(text).split()}
    assert {word for _, _, word in marks[2:]} <= words
