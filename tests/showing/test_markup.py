"""The answers as HTML."""

import base64
import re

import numpy as np
import tensorflow as tf

from tfxfer.reporting.thumbnails import heat_colors
from tfxfer.showing import markup
from tfxfer.showing.answering import Answer
from tfxfer.showing.nearest import NearImage

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
        markup.refusal(HOSTILE),
        markup.saying(HOSTILE, HOSTILE),
        markup.heading(HOSTILE, HOSTILE),
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
