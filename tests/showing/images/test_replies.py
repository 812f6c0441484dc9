"""What a model replies to the page."""

import shutil

import pytest

from tfxfer.inference.loading import load
from tfxfer.showing import markup
from tfxfer.showing.images.answering import Answerer
from tfxfer.showing.images.corrections import Corrections
from tfxfer.showing.images.mistakes import Mistake
from tfxfer.showing.images.replies import Shown
from tfxfer.showing.layout import Layout
from tfxfer.system.run_layout import RunDirectory


@pytest.fixture
def shown(finished, tmp_path):
    """A copy of the finished run, on a page."""
    shutil.copytree(finished[0].run, tmp_path / "colors")
    trained = load(tmp_path / "colors")
    kept = Corrections(RunDirectory(tmp_path / "colors"), None, trained.seen)
    return Shown("colors", Answerer(trained), [Mistake(b"an image", "red")], corrections=kept)


def test_the_layout_has_what_the_model_has(shown):
    names = shown.answerer.trained.class_names
    assert shown.layout == Layout(
        "colors",
        markup.heading(
            "colors",
            "Drop an image to classify it into one of 3 classes. Images stay "
            "on the machine that runs this page.",
        ),
        markup.NO_ANSWER,
        can_explain=False,
        class_names=names,
        examples=(b"an image",),
    )
    assert Shown("colors", shown.answerer).layout.class_names == ()


def test_an_upload_that_was_removed_gets_the_empty_page(shown):
    assert shown.reply("answer", [None]) == (markup.NO_ANSWER, "", "")


def test_a_correction_is_counted(shown, paths):
    assert "If the model is wrong" in shown.reply("count", [])[0]
    assert "Upload one first" in shown.reply("keep", [None, "red"])[0]
    for label in (None, "violet", ["red"]):
        assert "Choose the correct class" in shown.reply("keep", [str(paths[0]), label])[0]
    (told,) = shown.reply("keep", [str(paths[0]), "red"])
    assert "Saved as &#x27;red&#x27;." in told
    assert "There is 1 correction" in told
    assert "not kept" in Shown("colors", shown.answerer).reply("keep", [str(paths[0]), "red"])[0]


def test_a_failure_of_the_model_gets_a_sentence_and_a_note(shown, capsys):
    classes, *others = shown.reply("answer", [3])
    assert "terminal says why" in classes
    assert others == ["", ""]
    assert "TypeError" in capsys.readouterr().err
    assert len(shown.reply("keep", [3, "red"])) == 1
