"""Corrected texts, and the manifests that a fit takes."""

import csv

import numpy as np
import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.data.opening import open_texts
from tfxfer.text.data.source import TextSource, TextSplit
from tfxfer.text.showing.corrections import TextCorrections


def split(texts, labels, name):
    return TextSplit(texts, np.array(labels), [f"{name} {number}" for number in range(len(texts))])


@pytest.fixture
def source():
    train = split(["So dull.", "A great film", "boring, and long"], [1, 1, 0], "train")
    validation = split(["lovely music", "awful"], [1, 0], "validation")
    return TextSource(
        "reviews", ("neg", "pos"), {"train": train, "validation": validation,
                                    "test": split(["funny", "tedious"], [1, 0], "test")}
    )  # fmt: skip


@pytest.fixture
def run(tmp_path):
    (tmp_path / "reviews").mkdir()
    return RunDirectory(tmp_path / "reviews")


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_corrected_text_replaces_the_old_label_in_train(run, source):
    corrections = TextCorrections(run, source)
    assert corrections.keep("So dull!", "neg") == ""
    assert rows_of(run.corrections) == [{"text": "So dull!", "label": "neg"}]
    rows = rows_of(run.with_corrections)
    assert {row["text"]: row["label"] for row in rows if row["split"] == "train"} == {
        "A great film": "pos",
        "boring, and long": "neg",
        "So dull!": "neg",
    }
    assert len(rows) == 7
    assert f"--data {run.with_corrections} --run reviews-corrected-1" in corrections.command()


def test_the_last_label_counts_and_the_same_words_are_one_text(run, source):
    corrections = TextCorrections(run, source)
    corrections.keep("Not bad at all", "neg")
    corrections.keep("not bad, at all!", "pos")
    assert corrections.labels() == {"not bad, at all!": "pos"}


def test_a_text_of_another_split_is_not_trained_on(run, source):
    corrections = TextCorrections(run, source)
    assert "also in the test split" in corrections.keep("Funny!", "neg")
    assert "also in the validation split" in corrections.keep("awful", "pos")
    train = [row["text"] for row in rows_of(run.with_corrections) if row["split"] == "train"]
    assert not {"Funny!", "awful"} & set(train)
    assert len(corrections.labels()) == 2


@pytest.mark.parametrize(
    "text", ['He said "go",\nthen\r\nleft', " spaces ", "名作\t;", "=1+1", "a\rb", "last\n", "a\0b"]
)
def test_a_text_survives_the_way_into_a_fit(run, source, text):
    TextCorrections(run, source).keep(text, "pos")
    assert TextCorrections(run, source).labels() == {text: "pos"}
    opened = open_texts(FitConfig(data=str(run.with_corrections), backbone="lstm"))
    assert text in opened.splits["train"].texts
    assert {name: len(one) for name, one in opened.splits.items()} == {
        "train": 4, "validation": 2, "test": 2,
    }  # fmt: skip


def test_without_data_only_the_texts_are_written(run):
    corrections = TextCorrections(run, None)
    corrections.keep("fine", "pos")
    assert corrections.command() == ""
    assert not run.with_corrections.exists()


def test_an_edited_file_that_is_no_manifest_is_an_error(run):
    run.corrections.write_text("what\never\n")
    with pytest.raises(UsageError, match="no column 'text'"):
        TextCorrections(run, None).keep("fine", "pos")
