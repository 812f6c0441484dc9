"""The answers as HTML."""

import base64
import dataclasses
import html
import re

import numpy as np
import tensorflow as tf

from tfxfer.inference.prediction import Doubt
from tfxfer.reporting.thumbnails import heat_colors
from tfxfer.runs.scores.caution import CautionRecord
from tfxfer.showing.images import markup
from tfxfer.showing.images.answering import Answer
from tfxfer.showing.images.nearest import NearImage

HOSTILE = "<script>alert('x')</script>&\"{{x}}${y}"


def made(name="bees", heat=None):
    square = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Answer(((name, 0.98767), ("ants", 0.01233)), square, heat)


def images(text):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return [tf.io.decode_png(base64.b64decode(content)).numpy() for content in found]


def test_bars_have_the_width_of_the_probabilities():
    text = markup.bars(made())
    assert re.findall(r'demo-share">([^<]+)<', text) == ["98.77%", "1.23%"]
    assert re.findall(r"width:([^\"]+)\"", text) == ["98.77%", "1.23%"]
    assert "In the data" not in text
    assert "labeled <strong>ants</strong>" in markup.bars(made(), "ants")


def test_tasks_and_labels_are_told_apart():
    square = made().square
    tasks = {"species": (("cat", 0.9), ("dog", 0.1)), HOSTILE: (("ill", 0.6), ("well", 0.4))}
    text = markup.bars(Answer(tasks["species"], square, None, tasks=tasks))
    assert re.findall(r'demo-task">([^<]+)<', text) == ["species", html.escape(HOSTILE)]
    assert re.findall(r'demo-class">([^<]+)<', text) == ["cat", "dog", "ill", "well"]
    ranked, least = (
        (("cat", 0.9), ("red", 0.4), ("dog", 0.3)),
        {"cat": 0.5, "dog": 0.25, "red": 0.5},
    )
    answer = Answer(ranked, square, None, thresholds=least)
    assert answer.chosen == ("cat", "dog")
    text = markup.bars(answer)
    assert "Predicted labels: <strong>cat</strong>, <strong>dog</strong>" in text
    assert re.findall("predicted from ([^<]+)<", text) == ["50.00%", "50.00%", "25.00%"]
    assert "labels: none" in markup.bars(Answer(ranked[1:2], square, None, thresholds=least))


def test_an_unknown_image_is_none_of_these():
    limits = CautionRecord(0.05, 5, 50, 1.25, 0.9, 0.3, "test", 100, True)
    known, unknown = (
        dataclasses.replace(made(), doubt=Doubt(is_unknown, 1.5, in_set))
        for is_unknown, in_set in ((False, ("bees", HOSTILE)), (True, ()))
    )
    text = markup.doubt(unknown, limits)
    assert "<strong>None of these</strong>" in text
    assert "distance 1.50, unknown above 1.25" in text
    assert "Prediction set (90% coverage): no class" in text
    text = markup.doubt(known, limits)
    assert "None of these" not in text
    assert f"(90% coverage): <strong>bees</strong>, <strong>{html.escape(HOSTILE)}" in text
    assert "distance 1.50)" in markup.doubt(unknown, None)
    assert markup.doubt(made(), limits) == ""


def test_near_images_have_their_label_and_the_cosine():
    pixels = made().square
    near = [NearImage(pixels, "bees", 0.987), NearImage(pixels, HOSTILE, 0.5)]
    text = markup.nearest(near, 1234)
    assert "Nearest of 1,234 training images" in text
    assert re.findall(r'demo-share">([^<]+)<', text) == ["0.99", "0.50"]
    assert len(images(text)) == 2
    assert "<script" not in text
    assert markup.nearest([], 1234) == ""


def test_no_text_is_read_as_markup():
    texts = [
        markup.bars(made(HOSTILE), HOSTILE),
        markup.image_with_heat(made(HOSTILE, np.ones((3, 3), np.float32))),
    ]
    for text in texts:
        assert "<script" not in text
        assert "&lt;script" in text
        assert "&quot;" in text


def test_the_heat_lies_on_the_image_that_the_model_sees():
    heat = np.linspace(0, 1, 9, dtype=np.float32).reshape(3, 3)
    below, above = images(markup.image_with_heat(made(heat=heat)))
    np.testing.assert_array_equal(below, made().square)
    np.testing.assert_array_equal(above, heat_colors(heat[None], 8, 8)[0].round())
    text = markup.image_with_heat(made())
    assert len(images(text)) == 1
    assert "Grad-CAM" not in text
