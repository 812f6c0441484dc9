"""Where a converted file goes, and when it is there."""

import dataclasses
import shutil

import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.exporting.converting import Target, write_converted


@pytest.fixture
def copied(finished, trained, tmp_path):
    result, _ = finished
    for name in ("model.keras", "classes.txt"):
        shutil.copy(result.run / name, tmp_path)
    return dataclasses.replace(trained, path=tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target("litert"), "model.tflite"),
        (Target("litert", "int8"), "model.int8.tflite"),
        (Target("onnx"), "model.onnx"),
    ],
)
def test_without_another_place_a_file_lies_beside_the_model(copied, target, name):
    assert target.path(copied) == copied.path.with_name(name)


def test_an_invalid_file_is_refused_before_any_work(copied, tmp_path):
    with pytest.raises(UsageError, match="'keras'.* quantization"):
        Target("keras", "int8")
    with pytest.raises(UsageError, match="Format 'keras'.*--output"):
        Target("keras").path(copied)
    with pytest.raises(UsageError, match=r"x\.tflite'.*'\.onnx'.*format 'onnx'"):
        Target("onnx", output=tmp_path / "x.tflite").path(copied)
    with pytest.raises(UsageError, match="is the model itself"):
        Target("keras", output=copied.path).path(copied)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "classes.txt").write_text("a\nb\n")
    with pytest.raises(UsageError, match=r"has the classes of another model.*--output"):
        Target("onnx", output=tmp_path / "other" / "x.onnx").path(copied)


def test_a_copy_has_the_model_its_names_and_what_it_has_seen_beside_it(trained, tmp_path):
    target = Target("keras", output=tmp_path / "copy.keras")
    found = write_converted(trained, trained.open_source(), target, target.path(trained))
    assert (found.split, found.agreement, found.difference) == ("test", 1.0, 0.0)
    assert found.path.read_bytes() == trained.path.read_bytes()
    assert (tmp_path / "classes.txt").read_text() == "blue\ngreen\nred\n"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("kind", ["keras", "onnx"])
def test_a_directory_missing_at_the_end_is_reported_in_one_line(trained, tmp_path, kind):
    folder = tmp_path / "converted"
    folder.mkdir()
    target = Target(kind, output=folder / f"x.{kind}")
    path = target.path(trained)
    shutil.rmtree(folder)
    with pytest.raises(RunError, match=r"'.*': No such file or directory\.$"):
        write_converted(trained, trained.open_source(), target, path)
    folder.write_text("a file in its place")
    with pytest.raises(RunError, match=r"^Cannot write '.*': Not a directory\.$"):
        write_converted(trained, trained.open_source(), target, path)
