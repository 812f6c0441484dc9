"""Manifests with wrong labels: one line each, which names the file, the line and the column."""

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is
from tfxfer.errors import UsageError

COLUMNS = {"label_columns": "a,b"}
TASKS = {"tasks": "a,b"}


@pytest.mark.parametrize(
    ("rows", "settings", "line", "column"),
    [
        ("label a|b b a a;b a b", {}, 5, "label"),  # mixed separators
        ("label,split a|b,train b,train a,train a|c,test", {}, 5, "label"),  # new in test
        ("a,b 0,1 1,1 0.5,0 1,0", COLUMNS, 4, "a"),  # floats
        ("a,b x,u x,v x,u", TASKS, "2 to 4", "a"),  # one class
        ("a,b x,u y,v ,", TASKS, 4, "a, b"),  # all missing
        ("a,b 1,0 0,1 ,", COLUMNS, 4, "a, b"),
        ("label a|b c d", {}, 2, "label"),  # one class, or two labels
        ("labels a|a b a", {}, 2, "labels"),
        ("labels a||b b a", {}, 2, "labels"),
        ("a,b 0.5,u 1.5,v", TASKS, 2, "a"),  # measurements
        ("a,b x,u y,v x|y,u", TASKS, 4, "a"),
        ("a,b 0,1 1,1", COLUMNS, "2 to 3", "b"),  # always there
        ("a,b,split well,u,train ill,v,train wel,u,test", TASKS, 4, "a"),
        ("labels,missing a,b a|b, b,b", {}, 4, "missing"),
        ("labels a a a", {}, "2 to 4", "a"),
        ("price 1 2 cheap", {"target": "price"}, 4, "price"),
    ],
)
def test_a_wrong_label_is_found_by_file_line_and_column(tmp_path, rows, settings, line, column):
    header, *lines = rows.split()
    path = tmp_path / "tags.csv"
    path.write_text(f"path,{header}\n" + "".join(f"{n}.png,{row}\n" for n, row in enumerate(lines)))
    (tmp_path / "0.png").write_bytes(tf.io.encode_png(np.zeros((4, 4, 3), np.uint8)).numpy())
    with pytest.raises(UsageError) as error:
        open_as_it_is(str(path), how=LabelReading.of(FitConfig(**settings)))
    message = str(error.value)
    assert "\n" not in message
    for part in (str(path), f"ine {line} of" if isinstance(line, int) else str(line), column):
        assert part in message
    if "wel," in rows:
        assert "Did you mean 'well'?" in message
