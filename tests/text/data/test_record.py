import csv

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.data.opening import open_texts
from tfxfer.text.data.record import read_seen_texts, record_texts, unseen


def test_a_run_knows_the_texts_that_it_was_trained_on(reviews, tmp_path):
    source = open_texts(FitConfig(data=str(reviews), backbone="lstm"))
    run = RunDirectory(tmp_path)
    record_texts(run, source)
    with run.splits.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["split"] for row in rows].count("test") == 40
    assert rows[0]["id"].endswith(".txt")
    seen = read_seen_texts(run.seen)
    for name, left in (("train", 0), ("validation", 0), ("test", 40)):
        split = source.splits[name]
        kept, count = unseen(split, seen)
        assert (len(kept), count) == (left, len(split) - left)
    assert unseen(split, None) == (split, 0)


def test_what_is_no_record_is_unknown(tmp_path):
    path = tmp_path / "model.seen.npz"
    assert read_seen_texts(path) is None
    path.write_bytes(b"x")
    assert read_seen_texts(path) is None
    np.savez(path, digests=np.zeros(3))
    assert read_seen_texts(path) is None
