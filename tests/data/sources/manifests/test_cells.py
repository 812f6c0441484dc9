"""The labels of manifests: one class for each image, or several labels."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import AS_GIVEN, LabelReading
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.data.sources.manifests.cells import Several
from tfxfer.data.sources.manifests.rows import read_rows
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.errors import UsageError

MULTI = LabelReading("multi")
COLUMNS = LabelReading(columns=("cat", "dog"))


def written(folder, text, name="list.csv"):
    """Writes a manifest, and the files that it names."""
    for number in range(1, 10):
        Image.new("L", (4, 4), number).save(folder / f"{number}.png")
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def labels_of(path, how=AS_GIVEN):
    """Returns for each line the names of its labels, and of those that are unknown."""
    return [row.several or row.label for row in read_rows(path, how)[0]]


def test_a_separator_in_cells_divides_labels(tmp_path):
    text = "path,label\n1.png,cat|outdoor\n2.png,\n3.png, dog | cat \n4.png,outdoor\n"
    path = written(tmp_path, text)
    assert labels_of(path) == [
        Several(("cat", "outdoor")),
        Several(()),
        Several(("dog", "cat")),
        Several(("outdoor",)),
    ]
    _, notes = read_rows(path)
    assert "'list.csv'" in notes[0]
    assert "'|'" in notes[0]


@pytest.mark.parametrize("separator", [";", ", ", "+"])
def test_the_separator_is_a_setting(tmp_path, separator):
    text = f'path,label\n1.png,"cat{separator}outdoor"\n2.png,"cat"\n'
    found = labels_of(written(tmp_path, text), LabelReading(separator=separator))
    assert found == [Several(("cat", "outdoor")), Several(("cat",))]


def test_a_bar_in_the_names_of_classes_stays_there_if_that_is_said(tmp_path):
    path = written(tmp_path, "path,label\n1.png,cat|outdoor\n2.png,cat\n")
    assert labels_of(path, LabelReading("single")) == ["cat|outdoor", "cat"]
    path = written(tmp_path, "path,class\n1.png,cat|outdoor\n2.png,cat\n")
    assert labels_of(path) == ["cat|outdoor", "cat"]


def test_json_lines_have_lists(tmp_path):
    lines = [
        {"path": "1.png", "label": ["cat", "out|door"]},
        {"path": "2.png", "label": []},
        {"path": "3.png", "label": "cat", "missing": ["dog"]},
        {"path": "4.png", "labels": [7, "dog"]},
    ]
    path = written(tmp_path, "\n".join(map(json.dumps, lines)), "list.jsonl")
    assert labels_of(path) == [
        Several(("cat", "out|door")),
        Several(()),
        Several(("cat",), ("dog",)),
        Several(("7", "dog")),
    ]


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_columns_have_0_and_1_and_nothing_if_unknown(tmp_path, name):
    text = "path,Cat,dog,camera\n1.png,1,0,x\n2.png,,1.0,y\n3.png,0,False,z\n"
    if name == "list.jsonl":
        rows = [{"path": "1.png", "Cat": 1, "dog": 0}, {"path": "2.png", "Cat": None, "dog": 1.0}]
        text = "\n".join(map(json.dumps, [*rows, {"path": "3.png", "Cat": 0, "dog": False}]))
    path = written(tmp_path, text, name)
    assert labels_of(path, COLUMNS) == [
        Several(("cat",)),
        Several(("dog",), ("cat",)),
        Several(()),
    ]
    source = open_as_it_is(str(path), how=COLUMNS)
    expected = np.array([[1, 0], [np.nan, 1], [0, 0]], np.float32)
    np.testing.assert_array_equal(source.splits["train"].labels, expected)
    assert (source.class_names, source.has_several_labels) == (("cat", "dog"), True)


def test_cells_without_a_separator_are_classes_as_ever(tmp_path):
    path = written(tmp_path, "path,label\n1.png,cat\n2.png,dog\n")
    assert labels_of(path) == ["cat", "dog"]
    assert labels_of(path, MULTI) == [Several(("cat",)), Several(("dog",))]
    assert not open_as_it_is(str(path)).has_several_labels


def test_a_mistyped_column_of_labels_is_told(tmp_path):
    path = written(tmp_path, "path,cat,dog\n1.png,1,0\n2.png,0,1\n")
    with pytest.raises(UsageError, match=r"has no 'dgo'.* Did you mean 'dog'\?"):
        open_as_it_is(str(path), how=LabelReading(columns=("cat", "dgo")))
    assert read_rows(path, COLUMNS)[1] == [
        "labels of 'list.csv': any number for each image, in 2 columns: cat, dog"
    ]


def test_what_could_be_either_is_an_error_with_both_readings(tmp_path):
    path = written(tmp_path, "path,label\n1.png,red|green\n2.png,blue\n3.png,red|green\n")
    message = (
        "Line 2 of the manifest '{}', column 'label', has 'red|green', which could be one class "
        "with '|' in its name, or the labels 'red' and 'green', which never occur apart. Choose "
        "with --labels single or --labels multi."
    )
    with pytest.raises(UsageError, match=re.escape(message.format(path))):
        read_rows(path)
    assert labels_of(path, LabelReading("single"))[0] == "red|green"
    assert labels_of(path, MULTI)[0] == Several(("red", "green"))


MALFORMED = [
    (
        "path,label\n1.png,cat|dog\n2.png,cat||dog\n",
        AS_GIVEN,
        "Line 3 ... 'label' ... empty label in 'cat||dog'",
    ),
    (
        "path,label\n1.png,cat|dog\n2.png,dog|\n",
        AS_GIVEN,
        "Line 3 ... 'label' ... empty label in 'dog|'",
    ),
    ("path,label\n1.png,cat|dog\n2.png,dog|dog\n", AS_GIVEN, "Line 3 ... 'label' ... 'dog' twice"),
    (
        "path,label\n1.png,cat|dog\n2.png,cat\n3.png,cat;dog\n",
        AS_GIVEN,
        "Line 4 ... 'label' ... 'cat;dog' ... 'cat' and 'dog' are labels of other lines ... '|'",
    ),
    (
        "path,label,split\n1.png,cat|dog,train\n2.png,cat,train\n3.png,dgo,test\n",
        AS_GIVEN,
        "Line 4 ... 'dgo' in test ... not occur in train. Did you mean 'dog'?",
    ),
    (
        "path,cat,dog\n1.png,1,0\n2.png,0,0.5\n",
        COLUMNS,
        "Line 3 ... 'dog' ... has '0.5'; allowed are 0, 1",
    ),
    (
        "path,cat,dog\n1.png,1,0\n2.png,,\n",
        COLUMNS,
        "Line 3 ... no value in any label column, cat, dog",
    ),
    (
        "path,cat,dog\n1.png,1,0\n2.png,0,0\n",
        COLUMNS,
        "Column 'dog' ... has 0 on all lines, from 2 to 3",
    ),
    ("path,cat\n1.png,1\n", COLUMNS, "no 'dog'; its columns are path, cat"),
    ("path,label\n1.png,cat\n2.png,\n", AS_GIVEN, "Line 3 ... empty 'label' ... --labels multi"),
    (
        "path,labels\n1.png,cat\n2.png,dog\n",
        LabelReading("single"),
        "Line 3 ... 'labels' ... 'labels' is 'single'",
    ),
    (
        "path,labels,missing\n1.png,cat|dog,\n2.png,dog,dog\n",
        AS_GIVEN,
        "Line 3 ... 'missing' ... 'dog', which the image has",
    ),
    (
        "path,labels,missing\n1.png,cat|dog,\n2.png,dog,sun\n",
        AS_GIVEN,
        "Line 3 ... 'sun' as missing ... not occur in train",
    ),
    ("path,labels\n1.png,cat\n2.png,cat\n", AS_GIVEN, "only the label 'cat' ... at least 2"),
]


@pytest.mark.parametrize(("text", "how", "message"), MALFORMED)
def test_a_malformed_manifest_is_one_line_that_names_file_row_and_column(
    tmp_path, text, how, message
):
    path = written(tmp_path, text)
    with pytest.raises(
        UsageError, match=".*".join(map(re.escape, message.split(" ... ")))
    ) as error:
        open_as_it_is(str(path), how=how)
    assert f"'{path}'" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [({"cat": 1}, "'label' that is neither text nor a number"), ([["cat"]], "items are not all")],
)
def test_json_of_another_shape_is_an_error(tmp_path, value, message):
    path = written(tmp_path, json.dumps({"path": "1.png", "label": value}), "list.jsonl")
    with pytest.raises(UsageError, match=f"Line 1 .*{message}"):
        read_rows(path)


@pytest.mark.parametrize("several", [False, True])
def test_what_was_written_opens_as_the_same(tmp_path, several):
    if several:
        text = "path,a|b,[c],sun\n1.png,1,0,1\n2.png,0,1,\n3.png,1,,0\n4.png,0,0,0\n"
        config = FitConfig(data=str(written(tmp_path, text)), label_columns="a|b,[c],sun")
    else:
        text = "path,class\n1.png,a|b\n2.png,a\n3.png,a|b\n4.png,a\n"
        config = FitConfig(data=str(written(tmp_path, text)))
    how = LabelReading.of(config)
    source = open_as_it_is(config.data, how=how)
    path = tmp_path / "splits.csv"
    write_manifest(path, source, source.splits)
    again = open_as_it_is(str(path))
    assert again.class_names == source.class_names
    assert again.has_several_labels == several
    np.testing.assert_array_equal(again.splits["train"].labels, source.splits["train"].labels)
    assert again.fingerprint() == source.fingerprint()


def test_splits_are_stratified_by_label_and_noted(tmp_path):
    lines = [f"{n}.png,{'|'.join('ab'[: n % 3])}" for n in range(1, 10)]
    path = written(tmp_path, "\n".join(["path,label", *lines, ""]))
    source = open_source(FitConfig(data=str(path), validation_fraction=0.3, test_fraction=0.1))
    assert sum(len(split) for split in source.splits.values()) == 9
    assert any(note.endswith("stratified by label") for note in source.notes)


def test_the_splits_of_a_run_have_its_labels_even_those_that_no_image_has(tmp_path):
    path = written(tmp_path, "path,labels\n1.png,cat\n2.png,dog\n", "splits.csv")
    (tmp_path / "config.toml").touch()
    (tmp_path / "classes.txt").write_text("cat\ndog\nsun\n")
    source = open_as_it_is(str(path))
    assert source.class_names == ("cat", "dog", "sun")
    assert source.splits["train"].labels.tolist() == [[1, 0, 0], [0, 1, 0]]
    # Classes of a run of one class for each image may have any name.
    path = written(tmp_path, "path,label\n1.png,a|b\n2.png,c|d\n", "splits.csv")
    assert open_as_it_is(str(path)).class_names == ("a|b", "c|d")
