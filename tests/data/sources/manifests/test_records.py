"""What the lines of a manifest say by column."""

import pathlib

import pytest

from tfxfer.data.sources.manifests.records import is_csv, records_of
from tfxfer.errors import UsageError


def test_lines_of_a_csv_are_numbered_as_they_stand_in_the_file():
    notes = []
    text = "sep=;\nPath;LABEL;weight\na.png;cat;1,5\n\nb.png;dog;;\n"
    assert list(records_of(pathlib.Path("list.csv"), text, notes)) == [
        (3, {"path": "a.png", "label": "cat", "weight": "1.5"}),
        (5, {"path": "b.png", "label": "dog", "weight": ""}),
    ]
    (note,) = notes
    assert all(part in note for part in ("'list.csv'", "semicolons"))


def test_values_of_json_are_text():
    text = '{"path": "a.png", "Label": 3, "weight": 0.5, "split": null}\n\n'
    assert list(records_of(pathlib.Path("list.jsonl"), text, [])) == [
        (1, {"path": "a.png", "label": "3", "weight": "0.5", "split": ""})
    ]


def test_an_unreadable_line_is_named():
    with pytest.raises(UsageError, match=r"Line 2 .*'list\.csv' .*1 field"):
        list(records_of(pathlib.Path("list.csv"), "path,label\na.png\n", []))
    with pytest.raises(UsageError, match=r"Line 1 .*'list\.jsonl' .*JSON: "):
        list(records_of(pathlib.Path("list.jsonl"), "{", []))


@pytest.mark.parametrize(
    ("name", "expected"), [("a.CSV", True), ("a.tsv", True), ("a.jsonl", False)]
)
def test_the_name_tells_what_a_manifest_is(name, expected):
    assert is_csv(pathlib.Path(name)) == expected
