"""Texts to label next: not there yet."""

import pytest

from tfxfer.errors import UsageError
from tfxfer.text.verbs.label_next import label_next


def test_texts_are_refused():
    with pytest.raises(UsageError, match="'runs/reviews' is a model of texts, .* images only"):
        label_next("runs/reviews", "inbox", count=5)
