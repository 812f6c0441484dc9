import json
import random

import pytest

from tfxfer.errors import DataError, TfxferError, UsageError
from tfxfer.text.data.manifests import is_manifest, read_manifest


def manifest(folder, content, name="reviews.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path):
    found = read_manifest(path, "utf-8")
    return {
        name: [(text, found.class_names[label]) for text, label in zip(split.texts, split.labels)]
        for name, split in found.splits.items()
    }


def test_cells_may_have_newlines_quotes_and_any_length(tmp_path):
    long = "x" * 200_000
    content = f'text,label\n"a, ""b""\nc",pos\n{long},neg\n'
    found = read_manifest(manifest(tmp_path, content), "utf-8")
    assert found.splits["train"].texts == ['a, "b"\nc', long]
    assert found.splits["train"].ids == ["reviews.csv line 2", "reviews.csv line 4"]
    assert found.class_names == ("neg", "pos")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "label;text;split\npos;x;train\nneg;y;test\n"),
        ("a.tsv", "text\tlabel\tsplit\nx\tpos\ttrain\ny\tneg\ttest\n"),
        ("a.csv", "\ufeffText, Label,split\nx,pos,training\ny,neg,holdout\n"),
        (
            "a.jsonl",
            '{"text": "x", "label": "pos", "split": "train"}\n\n'
            '{"text": "y", "label": "neg", "split": "test", "more": [1]}\n',
        ),
    ],
)
def test_all_forms_are_read(tmp_path, name, content):
    assert rows(manifest(tmp_path, content, name)) == {
        "train": [("x", "pos")],
        "test": [("y", "neg")],
    }


def test_numbers_are_classes_in_their_order(tmp_path):
    content = "".join(json.dumps({"text": "x", "label": n}) + "\n" for n in (10, 9, 2))
    found = read_manifest(manifest(tmp_path, content, "a.jsonl"), "utf-8")
    assert found.class_names == ("2", "9", "10")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,labels\nx,pos\n", "has no column 'label'"),
        ("a.csv", "text,label\nx,y,z\n", "Line 2 .* has 3 fields"),
        ("a.csv", "text,label\nx,\n", "Line 2 .* has no label"),
        ("a.csv", "text,label,split\nx,a,trian\n", "has the split 'trian'. Did you mean 'train'"),
        ("a.csv", "text,label,split\nx,a,train\ny,a,\n", "line 3 has no split"),
        ("a.csv", "text,label\n", "lists no texts"),
        ("a.csv", "", "has no column 'text'"),
        ("a.jsonl", "{\n", "Line 1 .* is not JSON"),
        ("a.jsonl", "[1]\n", "is not a JSON object"),
        ("a.jsonl", '{"label": "a"}\n', "Line 1 .* has no text"),
        ("a.jsonl", '{"text": ["x"], "label": "a"}\n', "that is ..x.., not text"),
        ("a.jsonl", '{"text": "\\ud800", "label": "a"}\n', "unpaired surrogate"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path, name, content, message):
    with pytest.raises(UsageError, match=message):
        read_manifest(manifest(tmp_path, content, name), "utf-8")


def test_bytes_of_another_encoding_are_told_by_their_offset(tmp_path):
    path = manifest(tmp_path, b"text,label\ncaf\xe9,a\n")
    with pytest.raises(DataError, match="byte 0xe9 at offset 14"):
        read_manifest(path, "utf-8")
    assert read_manifest(path, "latin-1").splits["train"].texts == ["café"]


def test_mutated_manifests_are_read_or_refused(tmp_path):
    generator = random.Random(0)
    whole = {
        "a.csv": b'text,label,split\n"a, ""b""\nc",pos,train\nd,neg,test\n',
        "a.jsonl": b'{"text": "a\\u00e9", "label": 1}\n{"text": "b", "label": 2}\n',
    }
    for number in range(300):
        name = generator.choice(sorted(whole))
        content = bytearray(whole[name])
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(content))
            if generator.random() < 0.3:
                del content[place : place + generator.randint(1, 9)]
                content = content or bytearray(b"x")
            else:
                content[place] = generator.choice(b'\0\n\r",;{}[]\xff\xc3az9')
        path = manifest(tmp_path, bytes(content), name)
        complaint = ""
        try:
            read_manifest(path, "utf-8")
        except TfxferError as error:
            complaint = str(error)
        assert not complaint or str(path) in complaint, number


def test_manifests_are_known_by_their_names(tmp_path):
    assert is_manifest(tmp_path / "a.CSV")
    assert is_manifest(tmp_path / "a.jsonl")
    assert not is_manifest(tmp_path / "a.txt")
