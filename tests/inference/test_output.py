import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pyarrow.parquet
import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.output import write, write_file
from tfxfer.inference.prediction import Prediction

NAMES = ['<b>"bold"</b>', "a, b", "zwei\nZeilen", "日本語", "a'b\\c"]
GOOD = [
    Prediction(pathlib.Path("images", f"{name}.jpg"), ((name, 0.75), ("other", 0.25)))
    for name in NAMES
]
BAD = Prediction(pathlib.Path("bad.jpg"), (), 'it is\nno image, "really"')
ALL = [*GOOD[:2], BAD, *GOOD[2:]]


def written(kind, predictions=ALL, top=2):
    file = io.StringIO()
    write(predictions, kind, top, file)
    return file.getvalue()


def test_csv_has_a_record_for_each_file_whatever_its_name():
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [row["path"] for row in rows] == [str(one.path) for one in ALL]
    assert [row["label"] for row in rows if not row["error"]] == NAMES
    assert (rows[0]["probability"], rows[0]["label_2"], rows[0]["probability_2"]) == (
        *("0.75", "other", "0.25"),
    )
    assert (rows[2]["label"], rows[2]["error"]) == ("", BAD.error)


def test_json_lines_have_one_object_a_line():
    objects = [json.loads(line) for line in written("jsonl").splitlines()]
    assert [one["path"] for one in objects] == [str(one.path) for one in ALL]
    assert objects[2] == {"path": "bad.jpg", "error": BAD.error}
    assert objects[0]["ranked"] == [
        {"label": NAMES[0], "probability": 0.75},
        {"label": "other", "probability": 0.25},
    ]


def test_the_table_has_a_line_for_each_file_that_could_be_read():
    lines = written("table").split("\n")
    assert len(lines) == len(GOOD) + 1
    assert lines[0] == 'images/<b>"bold"</b>.jpg  <b>"bold"</b> 0.7500  other 0.2500'
    assert lines[2] == r"images/zwei\nZeilen.jpg  zwei\nZeilen 0.7500  other 0.2500"
    assert lines[3].startswith("images/日本語.jpg  日本語 ")


def test_parquet_has_typed_columns_and_nulls(tmp_path):
    path = tmp_path / "p.parquet"
    write_file(iter(ALL), "parquet", 2, path)
    table = pyarrow.parquet.read_table(path)
    assert table.column_names == [
        *("path", "label", "probability", "label_2", "probability_2", "error"),
    ]
    assert table["path"].to_pylist() == [str(one.path) for one in ALL]
    assert table["label"].to_pylist() == [*NAMES[:2], None, *NAMES[2:]]
    assert table["probability"].type == pyarrow.float32()
    assert table["error"].to_pylist()[2] == BAD.error


@pytest.mark.parametrize("kind", ["csv", "jsonl", "table", "parquet"])
def test_names_that_are_no_utf_8_are_written(kind, tmp_path):
    path = tmp_path / "list"
    write_file([Prediction(pathlib.Path("\udcff.jpg"), (("a", 1.0),))], kind, 1, path)
    content = path.read_bytes()
    expected = {"jsonl": b'"\\udcff.jpg"', "parquet": b"?.jpg"}.get(kind, b"\xff.jpg")
    assert expected in content


def test_a_file_is_there_only_when_all_is_in_it(tmp_path):
    def failing():
        yield GOOD[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_file(failing(), "csv", 1, tmp_path / "p.csv")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="it is a directory"):
        write_file([], "csv", 1, tmp_path)


def test_without_its_package_parquet_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"needed: pip install 'tfxfer\[parquet\]'"):
        write_file([], "parquet", 1, tmp_path / "p.parquet")


# A disk that takes so many bytes of a file and no more.
LIMITED = """
import pathlib, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from tfxfer.errors import RunError
from tfxfer.inference.output import write_file
from tfxfer.inference.prediction import Prediction
rows = [Prediction(pathlib.Path(f"{n}.jpg"), (("кот", 0.5),)) for n in range(20_000)]
try:
    write_file(rows, sys.argv[1], 1, pathlib.Path(sys.argv[2]), otherwise=sys.stdout)
except RunError as error:
    print(error, file=sys.stderr)
"""


@pytest.mark.parametrize("kind", ["csv", "jsonl", "table"])
def test_predictions_that_do_not_fit_on_the_disk_are_printed_all_of_them(kind, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, kind, str(tmp_path / "file")],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])},
        encoding="utf-8",
        check=True,
    )
    rows = [Prediction(pathlib.Path(f"{n}.jpg"), (("кот", 0.5),)) for n in range(20_000)]
    assert done.stdout == written(kind, rows, 1)
    assert f"Cannot write '{tmp_path}/file': File too large" in done.stderr
    assert "printed instead" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_predictions_whose_place_is_gone_in_the_end_are_printed(kind, tmp_path):
    place = tmp_path / "place"
    place.mkdir()

    def leaving():
        yield from ALL
        shutil.rmtree(place)

    instead = io.StringIO()
    with pytest.raises(RunError, match="Cannot write '.*' *: .*printed instead"):
        write_file(leaving(), kind, 2, place / "p", otherwise=instead)
    rows = list(csv.DictReader(io.StringIO(instead.getvalue())))
    assert [row["path"] for row in rows] == [str(one.path) for one in ALL]
    assert [row["label"] for row in rows if not row["error"]] == NAMES


def test_devices_are_written_to_and_links_followed(tmp_path):
    write_file(ALL, "csv", 2, pathlib.Path(os.devnull))
    assert pathlib.Path(os.devnull).is_char_device()
    (tmp_path / "link").symlink_to("target")
    write_file(ALL, "jsonl", 2, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text("utf-8") == written("jsonl")
    instead = io.StringIO()
    with pytest.raises(RunError, match="No space left on device"):
        write_file(ALL, "jsonl", 2, pathlib.Path("/dev/full"), otherwise=instead)
    assert instead.getvalue() == written("jsonl")
