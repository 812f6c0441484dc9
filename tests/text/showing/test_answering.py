"""Answers about texts, on a page in a browser, and the corrections that a fit trains on."""

import csv
import re
import shlex

import numpy as np
import pytest
from browser import Seen, choose_by_keyboard, open_browser
from command_line import run as run_command
from demo_server import open_demo
from made_texts import review

from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.models.attribution import WordAttributions, words_of
from tfxfer.text.reporting.marking import readable
from tfxfer.text.serving.loading import load_texts
from tfxfer.text.showing.answering import TextAnswerer

pytestmark = pytest.mark.slow

TEXT = review(5, True)


def test_an_answer_is_that_of_predict_with_the_words_that_speak_for_it(finished_texts):
    trained = load_texts(finished_texts[0].run)
    answer = TextAnswerer(trained).answer(TEXT)
    row = trained.predict(TEXT)[0]
    assert dict(answer.ranked) == dict(zip(trained.class_names, row.tolist(), strict=True))
    assert answer.ranked[0][0] == "pos"
    text = readable(TEXT)
    expected = WordAttributions(trained.model).of(text, 1, 0)
    weights = [word.weight for word in answer.words]
    assert [word.text for word in answer.words] == [word for word, _ in words_of(text)]
    np.testing.assert_allclose(weights, expected / np.abs(expected).max(), atol=1e-5)
    assert answer.num_words == len(answer.words)


def test_an_export_answers_without_marks(finished_texts):
    answerer = TextAnswerer(load_texts(finished_texts[0].export))
    assert not answerer.can_explain
    answer = answerer.answer(TEXT)
    assert answer.words == ()
    assert answer.ranked[0][0] == "pos"


@pytest.fixture(scope="module")
def demo(finished_texts):
    with open_demo(finished_texts[0].run) as demo:
        yield demo


@pytest.mark.parametrize(
    "text", [None, "", " ", 7, ["a"], {"path": "/etc/passwd"}, "x" * 200_001, "\0", "<script>"]
)
def test_hostile_texts_leave_the_page_alive(demo, text):
    told = demo.call("answer", text)
    assert "event: error" in told or told[0]
    assert "root:" not in str(told)
    assert "<script>" not in str(told)
    assert "pos" in demo.call("answer", TEXT)[0]


def test_a_text_is_classified_marked_corrected_and_trained_on(demo, finished_texts, tmp_path):
    result, _ = finished_texts
    run, seen = RunDirectory(result.run), Seen()
    share = load_texts(result.run).predict(TEXT)[0].max()
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 900}, color_scheme="dark")
        page.on("request", lambda one: seen.requests.append(one.url))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.goto(demo.url)
        box = page.locator("#demo-text textarea")
        box.focus()
        page.keyboard.insert_text(TEXT)
        page.locator("#demo-classify").press("Enter")
        page.wait_for_selector(".demo-words mark")
        told = page.inner_text("#demo-classes")
        assert told.split()[:2] == ["pos", f"{share:.2%}"]
        assert page.locator("mark.demo-for").count() >= 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        choose_by_keyboard(page, "ne", "neg")
        page.locator("#demo-keep").press("Enter")
        page.wait_for_selector("#demo-kept pre")
        command = page.inner_text("#demo-kept pre")
        assert not seen.errors
        others = [one for one in seen.requests if not re.match(f"{demo.url}|data:|blob:", one)]
        assert not others
    with run.corrections.open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"text": TEXT, "label": "neg"}]
    done = run_command(*shlex.split(command)[1:], "--runs-dir", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    (new,) = (tmp_path / "runs").iterdir()
    assert "with_corrections.csv line" in (new / "splits.csv").read_text()
