"""What the page says of a text, as HTML."""

from types import SimpleNamespace

import pytest

from tfxfer.errors import DataError
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.reporting.marking import MarkedWord
from tfxfer.text.showing.answering import MOST_CHARACTERS, TextAnswer, checked
from tfxfer.text.showing.corrections import TextCorrections
from tfxfer.text.showing.replies import ShownTexts

RANKED = (("pos", 0.8), ("neg <b>", 0.2))


class Answering:
    """Answers always the same."""

    can_explain = True
    trained = SimpleNamespace(class_names=("pos", "neg <b>"), max_words=3)

    def __init__(self, words=(), num_words=2):
        self.found = TextAnswer(RANKED, tuple(words), num_words)

    def answer(self, text):
        checked(text)
        return self.found


def test_words_are_marked_by_what_they_speak_for():
    words = [MarkedWord("great", 1.0), MarkedWord("the", 0.0), MarkedWord("<i>", -0.5)]
    classes, seen = ShownTexts("reviews", Answering(words, 3)).answer("great the <i>")
    assert "80.00%" in classes
    assert '<mark class="demo-for" style="--weight:1.0" title="pos">great</mark> the' in seen
    assert '<mark class="demo-against" style="--weight:0.5" title="neg &lt;b&gt;">&lt;i&gt;' in seen
    assert "underlined ones for neg &lt;b&gt;" in seen
    assert "reads the first" not in seen
    assert "reads the first 3 of 9 words" in ShownTexts("r", Answering(words, 9)).answer("a")[1]


def test_an_example_shows_its_label():
    shown = ShownTexts("reviews", Answering(), [("So dull.", "neg <b>")])
    assert shown.layout.texts == ("So dull.",)
    assert shown.layout.most_characters == MOST_CHARACTERS
    assert "In the data it is labeled neg &lt;b&gt;." in shown.answer("so dull")[0]
    assert "labeled" not in shown.answer("other")[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no words"),
        (["a"], "no words"),
        ("\0", "no words"),
        ("a" * (MOST_CHARACTERS + 1), "200,001 characters"),
        ("a \ud800", "not valid Unicode"),
    ],
)
def test_what_is_no_text_gets_a_sentence(text, reason, tmp_path):
    with pytest.raises(DataError, match=reason):
        checked(text)
    shown = ShownTexts("r", Answering(), (), TextCorrections(RunDirectory(tmp_path), None))
    assert "cannot be classified" in shown.reply("answer", [text])[0]
    (kept,) = shown.reply("keep", [text, "pos"])
    assert "was not saved" in kept
    assert not list(tmp_path.iterdir())


def test_blank_text_asks_for_one_and_a_wrong_class_is_not_kept(tmp_path):
    shown = ShownTexts("r", Answering(), (), TextCorrections(RunDirectory(tmp_path), None))
    assert "appear here" in shown.answer("  \n")[0]
    for label in (None, "", "violet", ["pos"]):
        assert "Choose the correct class" in shown.reply("keep", ["fine", label])[0]
    (told,) = shown.reply("keep", ["fine", "pos"])
    assert "Saved as &#x27;pos&#x27;. There is 1 correction" in told
    assert "There is 1 correction" in shown.reply("count", [])[0]


def test_a_failure_is_a_sentence(capsys):
    class Broken(Answering):
        def answer(self, text):
            raise ZeroDivisionError(text)

    assert "the terminal says why" in ShownTexts("r", Broken()).reply("answer", ["a"])[0]
    assert "ZeroDivisionError" in capsys.readouterr().err
