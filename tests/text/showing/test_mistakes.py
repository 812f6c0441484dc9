"""Texts that were predicted wrongly, as examples."""

import numpy as np

from tfxfer.system.tables import write_table
from tfxfer.text.data.source import TextSource, TextSplit
from tfxfer.text.showing.mistakes import most_confident_mistakes


def test_the_most_confident_come_first(tmp_path):
    texts = [f"text {number}" for number in range(12)]
    test = TextSplit(texts, np.arange(12) % 2, texts)
    source = TextSource(
        "reviews", ("neg", "pos"), {"train": test.select(np.arange(2))} | {"test": test}
    )
    path = tmp_path / "predictions.csv"
    assert most_confident_mistakes(path, source) == []
    rows = [[one, "neg", "pos", f"0.{50 + number}"] for number, one in enumerate(texts)]
    rows[11][2] = "neg"
    rows.append(["moved", "neg", "pos", "0.99"])
    write_table(path, ["id", "label", "predicted", "confidence"], rows)
    found = most_confident_mistakes(path, source)
    assert found == [(f"text {number}", "neg") for number in range(10, 2, -1)]
