import numpy as np

from tfxfer.text.models.attribution import words_of
from tfxfer.text.reporting.marking import MOST_WORDS, marked, readable


def test_words_are_marked_by_their_part_of_the_largest():
    found = marked(words_of("a great - film"), np.array([0.0, 2.0, -1.0], np.float32))
    assert [(one.text, one.weight) for one in found] == [
        ("a", 0.0),
        ("great", 1.0),
        ("-", 0.0),
        ("film", -0.5),
    ]


def test_of_long_texts_the_part_with_the_largest_attributions_is_shown():
    words = words_of(" ".join(f"w{number}" for number in range(400)))
    attributions = np.zeros(400, np.float32)
    attributions[300] = 1
    found = marked(words, attributions)
    assert len(found) == MOST_WORDS + 2
    assert found[0].text == found[-1].text == "..."
    assert [one.text for one in found if one.weight] == ["w300"]
    assert marked(words, attributions[:200])[0].text == "w0"


def test_nothing_is_marked_where_nothing_speaks():
    assert marked([], np.zeros(0, np.float32)) == []
    found = marked(words_of("x" * 100), np.zeros(1, np.float32))
    assert [(len(one.text), one.weight) for one in found] == [(43, 0.0)]


def test_line_breaks_and_nul_are_not_shown():
    assert readable("a<br />b\0c").split() == ["a", "b", "c"]
