"""Tables as programs of all systems write them: what is read, and what is said of it."""

import codecs

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.data.opening import open_as_it_is
from tfxfer.data.sources.manifests.dialect import found_path, repaired, separator_of, text_of
from tfxfer.errors import DataError, UsageError

ROWS = [
    ("path", "label", "split", "Größe"),
    ("bär/1.png", "bär", "train", "1"),
    ("käse/2.png", "käse", "train", "2"),
    ("bär/3.png", "bär", "val", "3"),
    ("käse/4.png", "käse", "test", "4"),
]


@pytest.fixture
def folder(tmp_path):
    for number, (path, *_) in enumerate(ROWS[1:]):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        pixels = tf.fill((5, 4, 3), tf.cast(number, tf.uint8))
        (tmp_path / path).write_bytes(tf.io.encode_png(pixels).numpy())
    return tmp_path


def table(separator=",", end="\n", change=lambda path: path):
    rows = [(change(path) if place else path, *rest) for place, (path, *rest) in enumerate(ROWS)]
    return end.join(separator.join(row) for row in rows) + end


def opened(folder, content, name="list.csv"):
    """Returns what a table is opened as, which must be the data of `ROWS`."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    source = open_as_it_is(str(folder / name))
    assert source.class_names == ("bär", "käse")
    found = {
        split: [
            (one.describe(index).removeprefix(f"{folder}/"), source.class_names[label])
            for index, label in enumerate(one.labels)
        ]
        for split, one in source.splits.items()
    }
    assert found == {
        "train": [("bär/1.png", "bär"), ("käse/2.png", "käse")],
        "validation": [("bär/3.png", "bär")],
        "test": [("käse/4.png", "käse")],
    }
    (image,) = source.splits["test"].open_images().map(tf.io.decode_png)
    np.testing.assert_array_equal(image, np.full((5, 4, 3), 3))
    return source


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        (table(), []),
        ("\ufeff" + table(end="\r\n"), []),
        (table(end="\r"), []),
        (table(";"), ["semicolons"]),
        (table("\t"), ["tabs"]),
        (table("|"), ["vertical bars"]),
        ("sep=;\r\n" + table(";", "\r\n"), ["semicolons"]),
        ('"sep=,"\n' + table(), []),
        ("sep=^\n" + table("^"), ["'^'"]),
        (table().encode("latin-1"), ["Windows-1252"]),
        (table(";", "\r\n").encode("cp1252"), ["semicolons", "Windows-1252"]),
        (table().encode("utf-16"), ["UTF-16"]),
        (codecs.BOM_UTF16_BE + table("\t").encode("utf-16-be"), ["UTF-16", "tabs"]),
        (table().encode("utf-16-le"), ["UTF-16"]),
        (table().encode("utf-16-be"), ["UTF-16"]),
        (table().encode("utf-32"), ["UTF-32"]),
        (table(change=lambda path: path.replace("/", "\\")), ["backslashes", "4 paths"]),
        (
            table(";", change=lambda path: path.replace("/", "\\")).encode("latin-1"),
            ["semicolons", "Windows-1252", "backslashes"],
        ),
        (table(change=lambda path: f'"{path}"'), []),
        (table(change=lambda path: f" {path} "), []),
        (table().replace("path,label,split", " Path,LABEL ,Split"), []),
        (table(end=",,\r\n"), []),
        (table() + ",,,\n\n", []),
    ],
)
def test_a_table_of_any_dialect_is_read_with_notes_on_assumptions(folder, content, notes):
    source = opened(folder, content)
    told = "\n".join(note for note in source.notes if "größe" not in note)
    assert all(word in told for word in notes), told
    if not notes:
        assert told == ""
    assert any("größe" in note for note in source.notes)


def test_a_table_of_tabs_may_be_called_tsv(folder):
    opened(folder, table("\t"), "list.tsv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_json_lines_of_any_encoding_are_read(folder, encoding):
    lines = [
        f'{{"Path": "{path}", "label": "{label}", "split": "{split}"}}'
        for path, label, split, _ in ROWS[1:]
    ]
    opened(folder, "\r\n".join(lines).encode(encoding), "list.jsonl")


def test_a_comma_in_the_weight_is_decimal_where_it_separates_nothing(folder):
    rows = [("path", "label", "weight"), *((*row[:2], "0,5") for row in ROWS[1:])]
    (folder / "list.csv").write_text("\n".join(";".join(row) for row in rows))
    source = open_as_it_is(str(folder / "list.csv"))
    np.testing.assert_array_equal(source.splits["train"].weights, [0.5] * 4)


def test_columns_of_the_user_may_have_any_names_also_twice_or_none(folder):
    rows = [("", "path", "label", "", "x", "x"), *(("0", *r[:2], "1", "2", "3") for r in ROWS[1:])]
    (folder / "list.csv").write_text("\n".join(",".join(row) for row in rows))
    assert len(open_as_it_is(str(folder / "list.csv")).splits["train"]) == 4


def test_a_name_of_a_file_that_is_no_utf_8_is_kept_where_it_is_there(folder):
    raw = b"bar\xe9.png"
    (folder / "a.png").write_bytes((folder / "bär/1.png").read_bytes())
    with open(bytes(folder) + b"/" + raw, "wb") as file:
        file.write((folder / "bär/1.png").read_bytes())
    (folder / "list.csv").write_bytes(b"path,label\na.png,b\xe4r\n" + raw + b",k\xc3\xa4se\n")
    source = open_as_it_is(str(folder / "list.csv"))
    assert source.class_names == ("bär", "käse")
    assert source.splits["train"].describe(1).endswith("bar\udce9.png")
    assert len(list(source.splits["train"].open_images())) == 2


def test_files_that_are_not_there_are_named_with_what_paths_count_from(folder):
    (folder / "list.csv").write_text("path,label\nC:\\photos\\1.png,a\nC:\\photos\\2.png,b\n")
    with pytest.raises(DataError) as caught:
        open_as_it_is(str(folder / "list.csv"))
    message = str(caught.value)
    for part in ("C:\\photos\\1.png", "list.csv", "Windows path", "relative", "Correct"):
        assert part in message


def test_a_table_that_is_cut_off_within_a_character_is_refused(folder):
    (folder / "list.csv").write_bytes(table().encode("utf-16")[:-1])
    with pytest.raises(UsageError, match=r"list\.csv' is UTF-16 .* corrupt.* UTF-8"):
        open_as_it_is(str(folder / "list.csv"))


@pytest.mark.parametrize(
    ("text", "stated", "separator"),
    [
        ("path,label", "", ","),
        ("path;label;a,b,c,d", "", ";"),
        ('"path";"label"', "", ";"),
        ('"a;b;c",path,label', "", ","),
        ("path\tlabel\tx;y;z", "", "\t"),
        ("path^label", "^", "^"),
        ("path,label", ";", ","),  # what is stated is wrong
        ("file;class", "", ";"),
        ("file", "", ","),
    ],
)
def test_a_separator_is_what_gives_the_columns_that_must_be_there(text, stated, separator):
    assert separator_of(text + "\n1", stated, ("path", "label")) == separator


def test_bytes_that_are_no_utf_8_are_windows_1252_or_else_latin_1():
    for content, expected in ((b"caf\xe9", "café"), (b"\x80 \x93", "€ “"), (b"\x81\xe9", "\x81é")):
        assert repaired(content.decode("utf-8", "surrogateescape")) == expected
    assert repaired("Ã©, 猫") == "Ã©, 猫"


def test_a_path_is_found_as_it_is_written_first(tmp_path):
    for name in ("a\\b.png", " c.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "a").mkdir()
    for name in ("a/b.png", "c.png", "d.png"):
        (tmp_path / name).write_bytes(b"")
    assert found_path(tmp_path, "a\\b.png") == "a\\b.png"
    assert found_path(tmp_path, " c.png") == " c.png"
    assert found_path(tmp_path, " d.png\t") == "d.png"
    assert found_path(tmp_path, "x\\y.png") == "x\\y.png"


def test_text_without_a_mark_is_utf_8(tmp_path):
    notes: list[str] = []
    (tmp_path / "a").write_bytes("é".encode() + b"\xe9")
    assert text_of(tmp_path / "a", notes) == "é\udce9"
    (tmp_path / "a").write_bytes(b"")
    assert text_of(tmp_path / "a", notes) == ""
    assert notes == []
