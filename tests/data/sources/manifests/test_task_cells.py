"""Manifests of several tasks: what is read, and what is refused in one line."""

import json

import numpy as np
import pytest
from PIL import Image

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.data.sources.manifests.cells import Cell
from tfxfer.data.sources.manifests.task_cells import TaskCells, ordered_outputs
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.errors import UsageError

HOW = LabelReading(tasks=("species", "health"))
ROWS = ("cat,ill", "dog,well", " cat ,", ",ill", "dog,ill", "cat,well")


def manifest(folder, rows=ROWS, head="path,species,health", splits=()):
    """Writes images and a manifest of them."""
    lines = [head + (",split" if splits else "")]
    for number, row in enumerate(rows):
        image = folder / f"{number}.bmp"
        Image.new("RGB", (8, 8), (number, 0, 0)).save(image)
        lines.append(f"{image.name},{row}" + (f",{splits[number]}" if splits else ""))
    path = folder / "data.csv"
    path.write_text("\n".join([*lines, ""]))
    return path


def test_each_column_is_a_task_and_an_empty_cell_is_missing(tmp_path):
    source = open_as_it_is(str(manifest(tmp_path)), how=HOW)
    assert source.tasks.as_json() == {"species": ["cat", "dog"], "health": ["ill", "well"]}
    assert source.class_names == source.tasks.output_names
    nan = np.nan
    np.testing.assert_array_equal(
        source.splits["train"].labels[:4],
        [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, nan, nan], [nan, nan, 1, 0]],
    )
    assert source.kind_of_labels == "the tasks species, health"
    notes = "; ".join(source.notes)
    assert "2 tasks" in notes
    assert "missing in column 'health': 1 label" in notes


def test_the_order_of_tasks_is_that_of_the_setting(tmp_path):
    how = LabelReading(tasks=("health", "SPECIES"))
    source = open_as_it_is(str(manifest(tmp_path)), how=how)
    assert source.class_names == (
        *("health=ill", "health=well"),
        *("SPECIES=cat", "SPECIES=dog"),
    )
    outputs = ["a=x", "b=y", "b=z"]
    assert ordered_outputs(outputs, ("b", "a")) == ["b=y", "b=z", "a=x"]


def test_json_lines_have_fields_for_tasks(tmp_path):
    path = manifest(tmp_path).with_suffix(".jsonl")
    rows = [
        {"path": f"{number}.bmp", "species": number % 2, "health": health}
        for number, health in enumerate(["ill", None, "well", "ill"])
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    source = open_as_it_is(str(path), how=HOW)
    assert source.tasks.classes == (("0", "1"), ("ill", "well"))
    rows[2]["species"] = ["0", "1"]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UsageError, match=r"Line 3 .*data.jsonl' has a 'species' that is neither"):
        open_as_it_is(str(path), how=HOW)


def test_what_is_written_is_read_again(tmp_path):
    source = open_source(FitConfig(data=str(manifest(tmp_path, ROWS * 5)), tasks="species,health"))
    copy = tmp_path / "copy.csv"
    write_manifest(copy, source, source.splits)
    again = open_as_it_is(str(copy), how=HOW)
    assert again.tasks == source.tasks
    assert again.fingerprint() == source.fingerprint()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((*ROWS, ","), "Line 8 .*data.csv' has no label in any column of --tasks, species, health"),
        ((*ROWS, "cat|dog,ill"), "Line 8 .*data.csv', column 'species', has 'cat|dog'"),
        (("cat,ill", "dog,ill"), "Column 'health' of .*data.csv' has only the class 'ill'.* 2 to"),
        (("cat,", "dog,"), "Column 'health' of .*data.csv' has no label"),
        (("cat,0.5", "dog,0.75", "dog,1"), "Line 2 .*data.csv', column 'health', has '0.5', a num"),
        (("cat,ill", "dog"), "Line 3 of .*data.csv' has 2 fields"),
    ],
)
def test_malformed_manifests_are_refused_with_file_row_and_column(tmp_path, rows, message):
    path = manifest(tmp_path, rows)
    with pytest.raises(UsageError, match=message) as caught:
        open_as_it_is(str(path), how=HOW)
    assert "\n" not in str(caught.value)


def test_a_class_that_only_test_has_is_refused_with_its_column(tmp_path):
    splits = ["train"] * 5 + ["test"]
    path = manifest(tmp_path, (*ROWS[:5], "dogg,well"), splits=splits)
    with pytest.raises(UsageError, match="Line 7 .*column 'species', has the label 'dogg' in test"):
        open_as_it_is(str(path), how=HOW)


def test_a_column_that_is_not_there_is_named(tmp_path):
    path = manifest(tmp_path, head="path,species,heath")
    with pytest.raises(UsageError, match="no 'health'.*Did you mean 'heath'.*those of --tasks"):
        open_as_it_is(str(path), how=HOW)


def test_white_space_counts_only_where_it_is_exact(tmp_path):
    for is_exact, expected in ((False, "species=cat"), (True, "species= cat")):
        cells = TaskCells(tmp_path / "data.csv", HOW, is_exact=is_exact)
        cells.add(Cell(2, {"species": " cat", "health": "ill"}, ""))
        (found,) = cells.labels()
        assert found.names == (expected, "health=ill")
