"""Texts without labels: what is read of data, and what is left out."""

import json

import numpy as np
import pytest
from made_texts import review, write_manifest

from tfxfer.config.schema import PretrainConfig
from tfxfer.errors import UsageError
from tfxfer.text.data.unlabeled import open_unlabeled


def opened(data, **settings):
    return open_unlabeled(PretrainConfig().with_settings({"data": str(data), **settings}))


def sizes(source):
    return {name: len(split) for name, split in source.splits.items()}


def test_of_a_folder_all_texts_are_read_but_those_of_a_test_split(reviews):
    source = opened(reviews)
    found = sizes(source)
    assert sum(found.values()) == 81  # with the one that has no label
    assert set(found) == {"train", "validation"}
    assert any("left out the test split: 40 texts" in note for note in source.notes)
    assert not np.concatenate([split.labels for split in source.splits.values()]).any()
    assert sizes(opened(reviews, validation_fraction=0.5))["validation"] == 40
    assert sizes(opened(reviews, train_examples=7))["train"] == 7


def test_a_flat_folder_needs_no_classes(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text(review(number, True))
    (tmp_path / "empty.txt").write_text(" ")
    source = opened(tmp_path)
    assert sum(sizes(source).values()) == 10
    assert any("1 empty text" in note for note in source.notes)


def test_the_rows_of_a_manifest_need_no_label(tmp_path):
    (tmp_path / "bare.csv").write_text("text\n" + "".join(f"film {n}\n" for n in range(8)))
    assert sum(sizes(opened(tmp_path / "bare.csv")).values()) == 8
    rows = [{"text": f"film {n}"} | ({"label": "x"} if n % 2 else {}) for n in range(8)]
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert sum(sizes(opened(tmp_path / "some.jsonl")).values()) == 8
    assert sum(sizes(opened(write_manifest(tmp_path / "all.jsonl", 8))).values()) == 8


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("label\nx\n", "no column 'text'.*columns: text and perhaps split"),
        ("text,split\na b,test\nc d,test\n", "no texts to train on"),
        ("text\nthe same\nThe same!\n", "too few different texts .* 2"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, content, why):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UsageError, match=why):
        opened(tmp_path / "a.csv")
