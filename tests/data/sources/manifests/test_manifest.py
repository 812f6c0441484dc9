"""Manifests: their format, and the errors of invalid ones."""

import dataclasses
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from messages import parts
from nasty_names import NASTY_NAMES

from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.data.source import Source, canonical, in_any_order
from tfxfer.data.sources.digesting import file_digests
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.errors import UsageError
from tfxfer.runs.class_names import write_class_names


def write_images(folder, names):
    """Writes an image of a gray of its own for each name."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = tf.fill((5, 4, 3), tf.cast(number, tf.uint8))
        (folder / name).write_bytes(tf.io.encode_png(pixels).numpy())


def manifest(folder, text, name="list.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(split, folder):
    prefix = f"{folder}/"
    return [split.describe(index).removeprefix(prefix) for index in range(len(split))]


ROWS = "path,label,split\na.png,cat,train\nb.png,dog,train\nc.png,cat,val\nd.png,dog,test\n"


@pytest.fixture
def folder(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.png", "d.png"])
    return tmp_path


def test_a_csv_says_which_image_is_of_which_class_and_split(folder):
    source = open_as_it_is(str(manifest(folder, ROWS)))
    assert source.name == "list"
    assert source.class_names == ("cat", "dog")
    assert {name: names(split, folder) for name, split in source.splits.items()} == {
        "train": ["a.png", "b.png"],
        "validation": ["c.png"],
        "test": ["d.png"],
    }
    assert source.splits["train"].labels.tolist() == [0, 1]
    assert source.origin is None
    images = source.splits["test"].open_images().map(tf.io.decode_png)
    np.testing.assert_array_equal(next(iter(images)), np.full((5, 4, 3), 3))


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + ROWS,  # as spreadsheets write it
        ROWS.replace(",", ";"),
        ROWS.replace(",", "\t"),
        ROWS.replace("\n", "\r\n"),
        ROWS.replace("path,label,split", " Path ,LABEL,Split"),
        ROWS.replace("a.png", '"a.png"').replace("\n", "\n\n"),
    ],
)
def test_tables_are_read_as_programs_write_them(folder, text):
    source = open_as_it_is(str(manifest(folder, text)))
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }


def test_json_lines_say_the_same(folder):
    rows = [
        {"path": "a.png", "label": 7, "weight": 2, "group": None, "by": "Ann"},
        {"path": str(folder / "b.png"), "label": "dog", "weight": 0.5},
        {"path": "c.png", "label": "dog"},
    ]
    text = "\n\n".join(map(json.dumps, rows))
    source = open_as_it_is(str(manifest(folder, text, "list.jsonl")))
    assert source.class_names == ("7", "dog")
    assert names(source.splits["train"], folder) == ["a.png", "b.png", "c.png"]
    assert source.splits["train"].weights.tolist() == [2, 0.5, 1]
    assert source.splits["train"].groups is None
    unused, weights = source.notes
    assert re.search(r"'list\.jsonl'.*1 column: by$", unused)
    assert re.search(r"weights .* 0\.5 to 2\b", weights)


def test_groups_are_not_divided_when_splits_are_split_off(tmp_path):
    files = [f"{number}.png" for number in range(100)]
    write_images(tmp_path, files)
    lines = [f"{file},{number % 2},{number // 5}" for number, file in enumerate(files)]
    path = manifest(tmp_path, "\n".join(["path,label,group", *lines]))
    source = open_source(FitConfig(data=str(path)))
    groups = [set(split.groups) for split in source.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 20
    for split in source.splits.values():
        numbers = [int(name.removesuffix(".png")) for name in names(split, tmp_path)]
        assert split.groups == [str(number // 5) for number in numbers]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no 'path' ... columns ... none"),
        ("file,label\na.png,cat\n", "no 'path' ... columns ... file, label"),
        (
            "path,lable\na.png,cat\n",
            "no 'label' ... path, lable ... 'lable' ... 'label'?",
        ),
        ("path,label,label\na.png,cat,cat\n", "has the column 'label' twice"),
        ("path,label\n", "lists no images"),
        (
            "path,label\na.png,cat\nb.png\n",
            "Line 3 ... '{}' ... 1 fields ... 2",
        ),
        ("path,label\na.png,cat\n ,dog\n", "Line 3 ... '{}' ... empty 'path'"),
        ("path,label\na.png,\n", "Line 2 ... '{}' ... empty 'label'"),
        ('path,label\n"a.png,cat\n', "'{}' ... not CSV: unexpected end of data"),
        ("path,label\na\0.png,cat\n", "Line 2 of the manifest '{}'"),
        ("path,label\na.png,cat\na.png,dog\n", "'a.png' again ... line 2"),
        ("path,label\na.png,cat\nb.png,cat\n", "only the label 'cat' ... at least 2"),
        (
            ROWS.replace("val", "vall"),
            "split 'vall' ... train, validation and test",
        ),
        (ROWS.replace("dog,train", "dog,"), "Line 3 ... '{}' ... no split"),
        (ROWS.replace("train", "test"), "no line has the split 'train'"),
        (
            ROWS.replace("b.png,dog", "b.png,cat"),
            "'dog' in test ... train",
        ),
        (
            "path,label,weight\na.png,cat,-1\n",
            "weight '-1' ... at least 0",
        ),
        ("path,label,weight\na.png,cat,nan\n", "has the weight 'nan'"),
        ("path,label,weight\na.png,cat,much\n", "has the weight 'much'"),
        (
            "path,label,split,group\na.png,cat,train,x\nb.png,dog,test,x\n",
            "group 'x' ... '{}' ... line 2 is in train, line 3 in test",
        ),
        ("path,label,source\na,1,digits\nb,2,\n", "has more than one source"),
        (
            "path,label,source\na,1,digits\n",
            "Line 2 ... '{}' ... 'a' ... not in ... digits",
        ),
    ],
)
def test_an_invalid_csv_is_an_error_that_names_the_line(folder, text, message):
    path = manifest(folder, text)
    with pytest.raises(UsageError, match=parts(message.format(path))):
        open_as_it_is(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Line 1 ... '{}' ... not JSON: "),
        ("[" * 100_000, "Line 1 ... '{}' ... not JSON: ... nested too deep"),
        ('{"path": "a\tb"}', "not JSON: Invalid control character ... character 12"),
        ('{"path": "a.png", "label": NaN}', "Line 1 ... '{}' ... empty 'label'"),
        ('{"path": NaN, "label": "cat"}', "Line 1 ... '{}' ... empty 'path'"),
        (
            '{"path": "\\ud800.png", "label": "cat"}',
            "Line 1 ... '{}' ... 'path' ... unpaired surrogate",
        ),
        (
            '{"path": "a.png", "label": "cat", "group": "\\udfff"}',
            "Line 1 ... '{}' ... 'group' ... unpaired surrogate",
        ),
        ("[1, 2]", "Line 1 ... '{}' ... not a JSON object"),
        ('{"label": "cat"}', "Line 1 ... '{}' ... no 'path' ... label"),
        ('{"path": 3, "label": "cat"}', "'path' ... neither text nor a number"),
        ('{"path": "a.png", "label": {"cat": 1}}', "'label' ... neither text nor a number"),
        ('{"path": "a.png", "label": null}', "has an empty 'label'"),
    ],
)
def test_invalid_json_is_an_error_that_names_the_line(folder, text, message):
    path = manifest(folder, text, "list.jsonl")
    with pytest.raises(UsageError, match=parts(message.format(path))):
        open_as_it_is(str(path))


def test_other_files_and_no_files_are_an_error(folder):
    with pytest.raises(UsageError, match=r"'.*a\.png' is a file, but neither a manifest"):
        open_as_it_is(str(folder / "a.png"))
    with pytest.raises(UsageError, match=r"no manifest 'none\.csv'"):
        open_as_it_is("none.csv")


@pytest.mark.parametrize("data", ["digits", "folder", "manifest"])
def test_what_was_written_of_a_source_opens_as_the_same(tmp_path, data):
    if data != "digits":
        files = [f"{number % 2}/{number}.png" for number in range(40)]
        write_images(tmp_path / "all", files)
        lines = [
            f"all/{file},class {file[0]},{number % 3},{number % 8}"
            for number, file in enumerate(files)
        ]
        if data == "manifest":
            data = str(manifest(tmp_path, "\n".join(["path,label,weight,group", *lines])))
        else:
            data = str(tmp_path / "all")
    source = open_source(FitConfig(data=data))
    path = tmp_path / "elsewhere" / "splits.csv"
    path.parent.mkdir()
    write_manifest(path, source, source.splits)
    again = open_source(FitConfig(data=str(path), seed=5))
    assert again.class_names == source.class_names
    assert again.fingerprint() == source.fingerprint()
    assert (again.mirrored, again.origin) == (source.mirrored, source.origin)
    for name, split in source.splits.items():
        other = again.splits[name]
        assert [other.describe(index) for index in range(len(split))] == [
            split.describe(index) for index in range(len(split))
        ]
        assert other.groups == split.groups
        assert (other.weights is None) == (split.weights is None)
        if split.weights is not None:
            np.testing.assert_array_equal(other.weights, split.weights)
        np.testing.assert_array_equal(other.digests(), split.digests())


def source_of(folder, class_names):
    """Returns a source that has two examples of each class."""
    files = [f"{number}.png" for number in range(2 * len(class_names))]
    paths = [str(folder / file) for file in files]
    table = tf.constant(paths)
    split = in_any_order(
        np.arange(len(files)) // 2,
        lambda index: tf.io.read_file(tf.gather(table, index)),
        lambda index: paths[index],
        lambda: file_digests(paths),
    )
    return Source("data", class_names, {"train": split}, (5, 4))


@pytest.mark.parametrize("part", [slice(None), slice(0, 1), slice(9, 12), slice(22, 40)])
def test_class_names_are_read_back_whatever_is_in_them(tmp_path, part):
    names = tuple(sorted({*NASTY_NAMES[part], "zebra"}, key=canonical))
    write_images(tmp_path, [f"{number}.png" for number in range(2 * len(names))])
    source = source_of(tmp_path, names)
    groups = [
        f"{names[label]}{index}\r " for index, label in enumerate(source.splits["train"].labels)
    ]
    split = dataclasses.replace(source.splits["train"], groups=groups)
    (tmp_path / "run").mkdir()
    write_manifest(tmp_path / "run" / "any.csv", source, {"train": split})
    again = open_as_it_is(str(tmp_path / "run" / "any.csv"))
    assert again.class_names == names
    assert again.splits["train"].labels.tolist() == split.labels.tolist()
    assert again.splits["train"].groups == groups


def test_a_list_of_an_earlier_run_is_read_as_it_was_written(folder):
    (folder / "config.toml").touch()
    write_class_names(folder / "classes.txt", ("cat", "cat "))
    path = manifest(folder, "path,label,split\na.png,cat,train\nb.png,cat ,train\n", "splits.csv")
    assert open_as_it_is(str(path)).class_names == ("cat", "cat ")


def test_stray_white_space_in_a_table_by_hand_is_no_class_of_its_own(folder):
    path = manifest(folder, "path,label\na.png, cat\nb.png,dog \nc.png,cat\n")
    source = open_as_it_is(str(path))
    assert source.class_names == ("cat", "dog")
    assert source.splits["train"].labels.tolist() == [0, 1, 0]
    assert any("' cat', 'cat'" in note for note in source.notes)


def test_in_quotes_and_in_json_white_space_belongs_to_a_label(folder):
    rows = [{"path": "a.png", "label": "cat"}, {"path": "b.png", "label": "cat "}]
    for path in (
        manifest(folder, '\ufeff"path","label"\n"a.png","cat"\n"b.png","cat "\n'),
        manifest(folder, "\n".join(map(json.dumps, rows)), "list.jsonl"),
    ):
        source = open_as_it_is(str(path))
        assert source.class_names == ("cat", "cat ")
        assert any("'cat', 'cat '" in note for note in source.notes)


def test_labels_that_unicode_holds_for_one_are_one_class_and_that_is_noted(folder):
    text = ROWS.replace("cat", "caf\u00e9").replace("c.png,caf\u00e9", "c.png,cafe\u0301")
    source = open_as_it_is(str(manifest(folder, text)))
    assert source.class_names == ("caf\u00e9", "dog")
    assert source.splits["validation"].labels.tolist() == [0]
    assert any(ascii("cafe\u0301") in note for note in source.notes)


def test_splits_go_by_the_usual_words(folder):
    text = ROWS.replace("train", "Training").replace("val", "dev_set").replace("test", "hold-out")
    assert list(open_as_it_is(str(manifest(folder, text))).splits) == [
        *("train", "validation", "test")
    ]


def test_a_tilde_in_a_path_is_the_home_directory_unless_something_is_called_so(folder, monkeypatch):
    write_images(folder, ["home/e.png", "~/f.png"])
    monkeypatch.setenv("HOME", str(folder / "home"))
    text = "path,label\na.png,cat\n~/e.png,dog\n~/f.png,dog\n"
    source = open_as_it_is(str(manifest(folder, text)))
    assert names(source.splits["train"], folder) == ["a.png", "home/e.png", "~/f.png"]
    images = source.splits["train"].open_images().map(tf.io.decode_png)
    assert [int(image[0, 0, 0]) for image in images] == [0, 0, 1]
