"""The rows of a manifest, checked."""

import re

import pytest

from tfxfer.data.sources.manifests.rows import Row, read_rows
from tfxfer.errors import UsageError


def rows_of(folder, text):
    (folder / "list.csv").write_text(text, "utf-8")
    return read_rows(folder / "list.csv")


def test_rows_have_what_lines_say_and_notes_what_is_not_used(tmp_path):
    rows, notes = rows_of(
        tmp_path,
        "path,label,split,weight,group,camera\na.png, cat ,Val,2,p1,x\nb.png,cat,train,,,y\n",
    )
    assert rows == [
        Row(2, "a.png", "cat", "validation", 2.0, "p1", "", column="label"),
        Row(3, "b.png", "cat", "train", None, "", "", column="label"),
    ]
    assert re.search(r"'list\.csv'.*1 column: camera$", notes[0])
    assert "one class: ' cat ', 'cat'" in notes[1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a.png,cat,train\na.png,dog,train\n", "Line 3 .*'a.png' again.* line 2"),
        ("a.png,cat,train\nb.png,dog,\n", "Line 3 .* no split"),
        (
            "a.png,cat,trian\n",
            "Line 2 .* split 'trian'.* Did you mean 'train'",
        ),
        ("a.png,,train\n", "Line 2 .* has an empty 'label'"),
        ("", "lists no images"),
    ],
)
def test_an_invalid_row_is_an_error_that_names_the_line(tmp_path, lines, message):
    with pytest.raises(UsageError, match=message):
        rows_of(tmp_path, "path,label,split\n" + lines)
