"""What every page shows, as HTML."""

import re

from tfxfer.showing import markup

HOSTILE = "<script>alert('x')</script>&\"{{x}}${y}"


def test_no_text_is_read_as_markup():
    classes = ((HOSTILE, 0.75), ("ants", 0.25))
    for text in (
        markup.ranked(classes, HOSTILE),
        markup.refusal(HOSTILE),
        markup.quiet(HOSTILE),
        markup.saying(HOSTILE, HOSTILE),
        markup.heading(HOSTILE, HOSTILE),
        markup.corrections(2, HOSTILE, HOSTILE, [HOSTILE]),
    ):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_bars_have_the_width_of_the_probabilities():
    text = markup.ranked((("bees", 0.98767), ("ants", 0.01233)))
    assert re.findall(r'demo-share">([^<]+)<', text) == ["98.77%", "1.23%"]
    assert re.findall(r"width:([^\"]+)\"", text) == ["98.77%", "1.23%"]


def test_corrections_are_counted_and_say_how_to_train_with_them():
    assert "choose the correct class" in markup.corrections(0, "c.csv", "", [])
    one = markup.corrections(1, "c.csv", "", ["Saved.", ""], " Add them by hand.")
    assert "Saved. There is 1 correction in &#x27;c.csv&#x27;. Add them by hand." in one
    many = markup.corrections(2000, "c.csv", "tfxfer fit", [])
    assert "2,000 corrections" in many
    assert "<code>tfxfer fit</code>" in many
