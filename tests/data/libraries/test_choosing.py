"""Which features are the labels, and which doubts there are."""

import pytest

from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.libraries.choosing import Chosen, Features, chosen_labels
from tfxfer.errors import UsageError


def features(classes="", sequences="", numbers="", usual=None):
    kinds = (classes.split(), sequences.split(), numbers.split())
    return Features("things", *kinds, usual, "all of them")


@pytest.mark.parametrize(
    ("given", "how", "chosen"),
    [
        (features("kind"), LabelReading(), Chosen("", ("kind",))),
        (features("", "tags"), LabelReading(), Chosen("multi-label", ("tags",))),
        (features("kind mood", usual="mood"), LabelReading(), Chosen("", ("mood",))),
        (features("kind", "tags", usual="tags"), LabelReading(), Chosen("multi-label", ("tags",))),
        (features("kind", "tags", usual="kind"), LabelReading("multi"), None),
        (features("kind mood"), LabelReading(tasks=("mood", "kind")), None),
        (features("kind", "", "price"), LabelReading(target="price"), None),
        # Labels from elsewhere: what is asked for if it is there, or else any.
        (features("kind"), LabelReading("multi", is_preference=True), Chosen("", ("kind",))),
        (features("a b", "c"), LabelReading(is_preference=True), Chosen("", ("a",))),
        (features("", "a b"), LabelReading(is_preference=True), Chosen("multi-label", ("a",))),
    ],
)
def test_labels_are_found_where_there_is_no_doubt(given, how, chosen):
    expected = (
        chosen
        or {
            ("multi", ()): Chosen("multi-label", ("tags",)),
            ("auto", ("mood", "kind")): Chosen("multi-task", ("mood", "kind")),
            ("auto", ()): Chosen("numeric", ("price",)),
        }[how.kind, how.tasks]
    )
    assert chosen_labels(given, how) == expected


@pytest.mark.parametrize(
    ("given", "how", "message"),
    [
        (features(), LabelReading(), "does not map.* are all of them\\.$"),
        (features("", "", "price"), LabelReading(), "does not map.*--target price"),
        (features("", "a b"), LabelReading(), "each of 'a' and 'b'.*Copy the dataset"),
        (features("a b"), LabelReading(), "--tasks a,b"),
        (features("a", "b"), LabelReading(), "in 'a', and any number of labels in 'b'.*single"),
        (features("a"), LabelReading("multi"), "does not map"),
        (features(), LabelReading(is_preference=True), "does not map"),
    ],
)
def test_a_doubt_is_told_with_all_readings(given, how, message):
    with pytest.raises(UsageError, match=message):
        chosen_labels(given, how)
