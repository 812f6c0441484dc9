"""What a cautious model says of a file, in each format."""

import io
import json
import pathlib

import pyarrow.parquet

from tfxfer.inference.output import write, write_file
from tfxfer.inference.prediction import Doubt, Prediction, columns, row, table_line, with_columns

KNOWN = Prediction(
    pathlib.Path("a.jpg"), (("ant", 0.75),), doubt=Doubt(False, 0.125, ("ant", "bee"))
)
UNKNOWN = Prediction(pathlib.Path("b.jpg"), (("bee", 0.5),), doubt=Doubt(True, 0.5, ()))
BAD = Prediction(pathlib.Path("c.jpg"), (), "it is no image")


def test_the_columns_are_those_of_what_the_model_says():
    cautious = ["path", "label", "probability", "unknown", "unknown_score", "set", "error"]
    assert columns(1, is_cautious=True) == cautious
    assert columns(1) == ["path", "label", "probability", "error"]
    predictions, names = with_columns([BAD, KNOWN], 1)
    assert (list(predictions), names) == ([BAD, KNOWN], cautious)
    assert with_columns([BAD], 1)[1] == columns(1)
    assert row(KNOWN, cautious) == ["a.jpg", "ant", 0.75, False, 0.125, "ant|bee", None]
    assert row(BAD, cautious) == ["c.jpg", None, None, None, None, None, "it is no image"]


def test_the_table_shows_it():
    assert table_line(KNOWN) == "a.jpg  ant 0.7500  known (0.1250)  {ant, bee}"
    assert table_line(UNKNOWN) == "b.jpg  bee 0.5000  unknown (0.5000)  {}"


def test_csv_json_and_parquet_have_it(tmp_path):
    file = io.StringIO()
    write([BAD, KNOWN, UNKNOWN], "csv", 1, file)
    assert file.getvalue().splitlines()[2:] == [
        "a.jpg,ant,0.75,False,0.125,ant|bee,",
        "b.jpg,bee,0.5,True,0.5,,",
    ]
    file = io.StringIO()
    write([KNOWN], "jsonl", 1, file)
    told = json.loads(file.getvalue())
    assert (told["unknown"], told["unknown_score"], told["set"]) == (False, 0.125, ["ant", "bee"])
    write_file([BAD, UNKNOWN], "parquet", 1, tmp_path / "p.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "p.parquet")
    assert table["unknown"].to_pylist() == [None, True]
    assert table["unknown_score"].to_pylist() == [None, 0.5]
