import dataclasses

import numpy as np
import pytest

from tfxfer.errors import UsageError
from tfxfer.text.data.source import TextSource, TextSplit, said


def split(*texts, labels=None):
    labels = np.zeros(len(texts), np.int64) if labels is None else np.array(labels)
    return TextSplit(list(texts), labels, [f"#{i}" for i in range(len(texts))])


def test_texts_that_say_the_same_have_one_digest():
    digests = split("Great!<br />Film", "great film", " GREAT\n FILM ", "great films").digests()
    assert np.array_equal(digests[0], digests[1])
    assert np.array_equal(digests[0], digests[2])
    assert not np.array_equal(digests[0], digests[3])


def test_what_has_no_letters_says_itself():
    assert said(" :-) ") == ":-)"
    assert said(" \n<br />") != ""  # a line break is no letter, but it is not nothing
    assert said(" \n\t ") == ""


def test_a_selection_has_its_texts_labels_and_ids():
    part = split("a", "b", "c", labels=[0, 1, 2]).select(np.array([2, 0]))
    assert (part.texts, part.labels.tolist(), part.ids) == (["c", "a"], [2, 0], ["#2", "#0"])


def test_the_fingerprint_depends_on_content_not_on_order():
    one = TextSource("x", ("n", "p"), {"train": split("a", "b", labels=[0, 1])})
    other = TextSource("y", ("n", "p"), {"train": split("b", "a", labels=[1, 0])})
    assert one.fingerprint() == other.fingerprint()
    changed = dataclasses.replace(one, splits={"train": split("a", "b", labels=[1, 0])})
    assert changed.fingerprint() != one.fingerprint()
    spelled = dataclasses.replace(one, splits={"train": split("A", "b", labels=[0, 1])})
    assert spelled.fingerprint() != one.fingerprint()


@pytest.mark.parametrize("names", [("a", " "), ("a", "b\0"), ("caf\u00e9", "cafe\u0301")])
def test_class_names_must_be_distinct_text(names):
    with pytest.raises(UsageError, match="class name|Two classes"):
        TextSource("x", names, {"train": split("a")})
