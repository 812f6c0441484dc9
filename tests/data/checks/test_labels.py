"""The rules of `check` for images that may have several labels."""

import pytest
from PIL import Image

from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.labels import findings_of_labels
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is


def examples_of(folder, rows):
    """Returns images that have these labels, as columns a, b, c."""
    for number in range(len(rows)):
        Image.new("L", (8, 8), 20 * number).save(folder / f"{number}.png")
    lines = [f"{number}.png,{row}" for number, row in enumerate(rows)]
    path = folder / "list.csv"
    path.write_text("\n".join(["path,a,b,c,split", *lines, ""]))
    how = LabelReading(columns=("a", "b", "c"))
    return Examples.of(open_as_it_is(str(path), how=how))


@pytest.mark.parametrize(
    ("rows", "findings"),
    [
        (["1,0,1,train", "0,1,0,train", "1,1,0,train", "0,0,1,test"], {}),
        (
            ["1,1,0,train", "0,0,1,train", "1,1,1,train", "1,0,1,test"],
            {"labels always together": ["a and b"]},
        ),
        (
            ["1,0,1,train", "1,1,0,train", "1,1,1,train", "0,0,1,test"],
            {"labels of all images": ["a"]},
        ),
        (
            ["1,,1,train", "0,1,0,train", "1,0,,train", "0,0,,test"],
            {"unknown labels": ["b: 1", "c: 2"], "labels always together": ["a and c"]},
        ),
    ],
)
def test_labels_that_cannot_be_told_apart_or_are_unknown_are_found(tmp_path, rows, findings):
    found = findings_of_labels(examples_of(tmp_path, rows))
    named = {one.kind: [name for (name,) in one.affected.named] for one in found}
    assert named == findings
    if "unknown labels" in findings:
        (unknown,) = [one.message for one in found if one.kind == "unknown labels"]
        assert unknown.startswith("3 labels of 3 images")
