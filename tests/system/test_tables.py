"""Columns that line up, and CSV that is read back as it was written."""

import csv

import pytest

from tfxfer.system.tables import (
    TableWriter,
    needs_quotes,
    padded,
    text_width,
    wrapped,
    write_table,
)


@pytest.mark.parametrize("quote_all", [True, False])
@pytest.mark.parametrize("text", ["a\rb", "a\nb", '"x"', "'x", "a,b", " x ", "\ufeffx", "", "\x85"])
def test_every_text_is_read_back(tmp_path, text, quote_all):
    path = tmp_path / "table.csv"
    rows = [["1", text], [text, "2"], ["3", "4"]]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = TableWriter(file, quote_all=quote_all)
        for row in rows:
            table.writerow(row)
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file, strict=True)) == rows
    assert path.read_bytes().endswith(b'"3","4"\n' if quote_all else b"3,4\n")


def test_white_space_around_a_text_needs_quotes():
    assert needs_quotes(["a", "b "])
    assert needs_quotes(["\u00a0a"])
    assert not needs_quotes(["a b", ""])


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("cat", 3),
        ("", 0),
        ("猫", 2),
        ("ねこ", 4),
        ("고양이", 6),
        ("\uff8a", 1),  # half as wide
        ("e\u0301cole", 5),
        ("\U0001f431", 2),
        ("a\u200bb", 2),
    ],
)
def test_texts_of_any_script_line_up(text, width):
    assert text_width(text) == width
    assert padded(text, 8) == text + " " * (8 - width)
    assert padded(text, width) == text


def test_what_is_wider_than_a_column_stays():
    assert padded("long name", 4) == "long name"
    assert padded("猫猫猫", 4) == "猫猫猫"


def test_a_file_has_all_rows_or_what_it_had(tmp_path):
    path = tmp_path / "found.csv"
    write_table(path, ["image", "label"], [["a\udcff.jpg", "x,y"], ["b.jpg", "line\rend"]])
    expected = b'image,label\na\xff.jpg,"x,y"\n"b.jpg","line\rend"\n'
    assert path.read_bytes() == expected

    def broken():
        yield ["c.jpg", "z"]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_table(path, ["image", "label"], broken())
    assert path.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("short", ["short"]),
        ("", [""]),
        ("head: one fit per penalty, strongest", ["head: one fit per penalty,", "  strongest"]),
        (
            "search          tries several ways",
            ["search          tries", " " * 16 + "several ways"],
        ),
        ("finetune phase  AdamW, 10 epochs", ["finetune phase  AdamW, 10", " " * 16 + "epochs"]),
        (" " * 16 + "note: held out 3 of 9", [" " * 16 + "note: held", " " * 16 + "out 3 of 9"]),
        (
            "finetune  epoch 10/20  loss 0.1  12 s left",
            ["finetune  epoch 10/20", "  loss 0.1  12 s left"],
        ),
        ("search: 'all at 0.001' has a loss of 1", ["search: 'all at 0.001' has a", "  loss of 1"]),
        ("  tfxfer predict runs/photos-mobilenetv2 IMAGE", None),
        ("/a/path/without/any/space/that/is/long", None),
    ],
)
def test_lines_are_broken_between_words_or_columns(line, lines):
    found = wrapped(line, 28)
    assert found.split("\n") == (lines or [line])
    assert found.split() == line.split()
    assert wrapped(line, 100) == line
