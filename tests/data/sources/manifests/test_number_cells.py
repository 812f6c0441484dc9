"""Manifests with a column of numbers: what is read, and what is refused in one line."""

import json

import numpy as np
import pytest
from PIL import Image

from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.data.sources.manifests.cells import Cell
from tfxfer.data.sources.manifests.number_cells import NumberCells
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.errors import UsageError
from tfxfer.planning.several_labels import check_labels, refuse_several_labels

HOW = LabelReading(target="Price")


def manifest(folder, cells, head="path,price", name="data.csv", between=","):
    """Writes images and a manifest of them."""
    lines = [head]
    for number, cell in enumerate(cells):
        image = folder / f"{number}.bmp"
        Image.new("RGB", (8, 8), (number, 0, 0)).save(image)
        lines.append(f"{image.name}{between}{cell}")
    path = folder / name
    path.write_text("\n".join([*lines, ""]))
    return path


def test_numbers_are_read_and_an_empty_cell_leaves_the_image_out(tmp_path):
    path = manifest(tmp_path, ["1.5", " -2 ", "", "1e3", "0.1"])
    source = open_as_it_is(str(path), how=HOW)
    assert source.splits["train"].labels.tolist() == [1.5, -2.0, 1000.0, 0.1]
    assert source.splits["train"].labels.dtype == np.float64
    assert (source.class_names, source.special) == (("Price",), "numeric")
    assert source.kind_of_labels == "a number per image"
    notes = "; ".join(source.notes)
    assert "the number in column 'Price'" in notes
    assert "left out, with nothing in column 'Price': 1 image" in notes


def test_a_comma_is_a_point_where_it_does_not_separate_fields(tmp_path):
    path = manifest(tmp_path, ["1,5", "-2,25"], "path;price", between=";")
    source = open_as_it_is(str(path), how=HOW)
    assert source.splits["train"].labels.tolist() == [1.5, -2.25]


def test_json_lines_have_numbers_and_null(tmp_path):
    path = manifest(tmp_path, ["1"] * 3).with_suffix(".jsonl")
    rows = [{"path": f"{n}.bmp", "price": price} for n, price in enumerate([2, None, 0.5])]
    path.write_text("\n".join(map(json.dumps, rows)))
    source = open_as_it_is(str(path), how=HOW)
    assert source.splits["train"].labels.tolist() == [2.0, 0.5]


# Each manifest, and what the one line about it says: the file, the line and the column.
MALFORMED = {
    "text": (["1", "cheap"], r"Line 3 .*data.csv', column 'Price', has 'cheap'; it must be a fin"),
    "nan": (["1", "NaN"], r"Line 3 .*data.csv', column 'Price', has 'NaN'"),
    "infinite": (["-inf", "1"], r"Line 2 .*data.csv', column 'Price', has '-inf'"),
    "overflow": (["1", "2", "1e999"], r"Line 4 .*data.csv', column 'Price', has '1e999'"),
    "currency": (["1", "$5"], r"Line 3 .*data.csv', column 'Price', has '\$5'"),
    "unit": (["1", "5 cm"], r"Line 3 .*data.csv', column 'Price', has '5 cm'"),
    "thousands": (["1", '"1,200"'], r"Line 3 .*data.csv', column 'Price', has '1,200'"),
    "underscore": (["1", "1_000"], r"Line 3 .*data.csv', column 'Price', has '1_000'"),
    "several": (["1", "1|2"], r"Line 3 .*data.csv', column 'Price', has '1\|2'"),
    "truth": (["1", "true"], r"Line 3 .*data.csv', column 'Price', has 'true'"),
    "nothing": (["", " "], r"Column 'Price' of .*data.csv' is empty on all lines, from 2 to 3"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_manifest_is_refused_in_one_line(tmp_path, what):
    cells, message = MALFORMED[what]
    path = manifest(tmp_path, cells)
    with pytest.raises(UsageError, match=message) as caught:
        open_as_it_is(str(path), how=HOW)
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named_with_its_option(tmp_path):
    path = manifest(tmp_path, ["1", "2"], "path,prize")
    with pytest.raises(UsageError, match=r"no 'price'; .* Did you mean 'prize'.*those of --target"):
        open_as_it_is(str(path), how=HOW)
    path = manifest(tmp_path, ["1,train", "2,train", ",test"], "path,price,split")
    source = open_as_it_is(str(path), how=HOW)  # the only image of test has no number
    assert list(source.splits) == ["train"]
    path = manifest(tmp_path, [",train", "2,test"], "path,price,split")
    with pytest.raises(UsageError, match="nothing to train on"):
        open_as_it_is(str(path), how=HOW)


def test_a_list_in_json_is_no_number(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"path": "0.bmp", "price": [1]}\n')
    with pytest.raises(UsageError, match=r"Line 1 .*data.jsonl' has a 'price' that is neither"):
        open_as_it_is(str(path), how=HOW)


def test_what_is_written_is_read_again(tmp_path):
    values = [str(one) for one in np.random.default_rng(0).normal(size=40)]
    path = manifest(tmp_path, values)
    source = open_source(FitConfig(data=str(path), target="price"))
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 24,
        "validation": 8,
        "test": 8,
    }
    assert "stratified by value" in source.notes[-1]
    written = tmp_path / "again.csv"
    write_manifest(written, source, source.splits)
    again = open_as_it_is(str(written), how=LabelReading(target="price"))
    for name, split in source.splits.items():
        assert again.splits[name].labels.tolist() == split.labels.tolist()
    assert again.fingerprint() == source.fingerprint()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": "a,b"}, "'target' gives each image a number, but 'tasks' is 'a,b'"),
        ({"labels": "multi"}, "but 'labels' is 'multi'"),
        ({"label_columns": "a,b"}, "but 'label_columns' is 'a,b'"),
        ({"target": "split"}, "Setting 'target' is 'split'; it must be the name of a column"),
        ({"target": " "}, "Setting 'target' is ' '"),
    ],
)
def test_settings_that_contradict_a_target_are_refused(settings, message):
    for kind in (FitConfig, PretrainConfig):
        with pytest.raises(UsageError, match=message):
            kind(**{"target": "price", **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"ordered": True},
        {"class_weights": "balanced"},
        {"label_smoothing": 0.1},
        {"augment": {"mixup": 0.2}},
        {"augment": {"cutmix": 1.0}},
        {"calibrate": True},
        {"unknown": True},
        {"folds": 5},
        {"compare_scratch": True},
        {"group_near_copies": True},
        {"min_accuracy": 0.9},
    ],
)
def test_what_makes_no_sense_with_a_number_is_refused_by_name(tmp_path, settings):
    source = open_as_it_is(str(manifest(tmp_path, ["1", "2", "3"])), how=HOW)
    ((name, value),) = settings.items()
    key = f"{name}.{next(iter(value))}" if isinstance(value, dict) else name
    config = FitConfig(target="price").with_settings(settings)
    with pytest.raises(UsageError, match=rf"^Setting '{key}' \(--.*\) is for classes, but 'data'"):
        check_labels(config, source)


def test_a_constant_target_and_commands_for_classes_are_refused(tmp_path):
    source = open_as_it_is(str(manifest(tmp_path, ["0.1"] * 3)), how=HOW)
    with pytest.raises(UsageError, match=r"have the same 'Price', 0.1, so there is nothing to le"):
        check_labels(FitConfig(target="price"), source)
    with pytest.raises(UsageError, match=r"^`tfxfer rank` is for .* but 'data' is numeric"):
        refuse_several_labels(source, "`tfxfer rank`")
    with pytest.raises(UsageError, match=r"'target' \(--target\) names a column of numbers, but "):
        open_as_it_is("digits", how=HOW)


def test_cells_say_what_is_missing(tmp_path):
    cells = NumberCells(tmp_path / "data.csv", HOW)
    cells.add(Cell(2, {"price": "1"}, ""))
    cells.add(Cell(3, {"price": ""}, ""))
    assert cells.labels() == [1.0, None]
    assert (cells.are_several, cells.have_missing) == (False, False)
