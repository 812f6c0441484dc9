"""What `check` finds in texts."""

import json

import pytest

import tfxfer
from tfxfer.errors import UsageError
from tfxfer.text.data.checks import check_texts
from tfxfer.text.data.opening import open_as_they_are

LONG = "it was a film about a man and a dog and a house by the sea and what they all did there "


def checked(tmp_path, rows):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return check_texts(open_as_they_are(str(path), "utf-8"))


def row(text, label="pos", split="train"):
    return {"text": text, "label": label, "split": split}


def kinds(result):
    return {finding.kind for finding in result.findings}


def finding(result, kind):
    return next(one for one in result.findings if one.kind == kind)


def test_clean_texts_have_no_findings(tmp_path):
    rows = [row(f"a film of the year {n} {n * n}", "pos" if n % 2 else "neg") for n in range(20)]
    result = checked(tmp_path, rows)
    assert not result.findings
    assert result.counts["train"].tolist() == [10, 10]
    assert "No problems" in result.describe()


def test_copies_are_told_by_where_they_are_and_what_they_are_called(tmp_path):
    rows = [
        row("One film twice"),
        row("one FILM, twice!"),
        row("In two splits here", "neg"),
        row("in two splits here.", "neg", "test"),
        row("Two labels for me"),
        row("two labels for me", "neg"),
    ]
    result = checked(tmp_path, rows)
    assert kinds(result) == {"duplicates", "duplicates across splits", "contradictory labels"}
    assert finding(result, "duplicates").affected.count == 2
    assert finding(result, "duplicates across splits").affected.named == (
        ("texts.jsonl line 3", "texts.jsonl line 4"),
    )
    assert finding(result, "contradictory labels").affected.num_examples == 2
    assert not result.blocks


def test_near_copies_are_listed_with_what_keeps_them_together(tmp_path):
    rows = [row(LONG * 2), row(LONG * 2 + "twice", "pos", "test"), row("another film", "neg")]
    found = finding(checked(tmp_path, rows), "near copies")
    assert "1 across splits" in found.message
    assert "--group-near-copies" in found.action


def test_classes_lengths_and_line_breaks(tmp_path):
    rows = [row(f"film {n} of many<br />more") for n in range(8)]
    rows += [row("no", "neg"), row(LONG * 40, "neg"), row("only in the test", "odd", "test")]
    result = checked(tmp_path, rows)
    assert {"imbalance", "missing classes", "short texts", "long texts"} <= kinds(result)
    assert finding(result, "HTML line breaks").affected.count == 8
    assert finding(result, "missing classes").affected.named == (("odd",),)
    assert "--text-max-words" in finding(result, "long texts").action


def test_data_that_fit_would_refuse_block(tmp_path):
    one = checked(tmp_path, [row("a b c"), row("d e f")])
    assert one.blocks
    assert checked(tmp_path, [row("a b c", "pos", "test"), row("d e f", "neg", "test")]).blocks
    assert one.as_json()["blocks"]


def test_the_verb_checks_texts_and_refuses_what_is_for_images(reviews):
    result = tfxfer.check(str(reviews))
    assert result.class_names == ("neg", "pos")
    assert {name: int(counts.sum()) for name, counts in result.counts.items()} == {
        "train": 80,
        "test": 40,
    }
    for settings, option in (
        ({"backbone": "resnet50"}, "--backbone"),
        ({"output": "x.html"}, "--output"),
        ({"write_manifest": "x.csv"}, "--write-manifest"),
        ({"bad_images": "skip"}, "--bad-images"),
        ({"labels": "multi"}, "labels"),
    ):
        with pytest.raises(UsageError, match=option):
            tfxfer.check(str(reviews), **settings)
