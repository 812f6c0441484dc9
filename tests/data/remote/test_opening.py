"""Data at URLs are what they are on the disk, and their ids are URLs."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from conftest import tf_example
from stores import stored

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.readability import find_unreadable, reasons_unreadable
from tfxfer.data.opening import as_it_comes, open_as_it_is, open_source
from tfxfer.data.remote.opening import ListedFiles
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.errors import DataError, UsageError


def ids(source):
    return [split.describe(i) for split in source.splits.values() for i in range(len(split))]


def digests(source):
    return np.concatenate([split.digests() for split in source.splits.values()])


def manifest_of(pictures, folder):
    """Writes a manifest of the images, and returns its lines."""
    files = sorted(pictures.rglob("*.jpg"))
    lines = [f"{path.relative_to(pictures)},{path.parent.name}" for path in files]
    (folder / "photos.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    return files


def test_a_folder_is_that_on_the_disk(pictures):
    here = open_source(FitConfig(data=str(pictures)))
    there = open_source(FitConfig(data=stored(pictures, "opened")))
    assert here.fingerprint() == there.fingerprint()
    assert there.name == "opened"
    assert there.origin == "memory://opened"
    assert ids(there) == [id_.replace(str(pictures), "memory://opened") for id_ in ids(here)]
    assert "'memory://opened' are in" in there.notes[0]


def test_a_run_can_open_its_data_again(pictures, tmp_path):
    there = open_source(FitConfig(data=stored(pictures, "again")))
    write_manifest(tmp_path / "splits.csv", there, there.splits)
    again = open_as_it_is(str(tmp_path / "splits.csv"))
    assert ids(again) == ids(there)
    assert again.fingerprint() == there.fingerprint()


@pytest.mark.parametrize("place", ["beside", "here"])
def test_a_manifest_lists_files_relative_to_its_url_or_urls(pictures, tmp_path, place):
    files = manifest_of(pictures, tmp_path)
    url, manifest = stored(pictures, "listed/photos"), tmp_path / "photos.csv"
    lines = manifest.read_text().splitlines()
    if place == "here":
        manifest.write_text("\n".join([lines[0], *(f"{url}/{line}" for line in lines[1:])]))
        data = str(manifest)
    else:
        (tmp_path / "tables").mkdir()
        (tmp_path / "tables" / "photos.csv").write_text(
            "\n".join([lines[0], *(f"../photos/{line}" for line in lines[1:])])
        )
        data = stored(tmp_path / "tables", "listed/tables") + "/photos.csv"
    source = as_it_comes(open_as_it_is(data))
    assert ids(source) == [f"{url}/{path.relative_to(pictures)}" for path in files]
    assert source.origin == (data if place == "beside" else str(manifest.resolve()))
    local = as_it_comes(open_as_it_is(str(pictures), needs_train=False))
    assert {row.tobytes() for row in digests(source)} == {row.tobytes() for row in digests(local)}
    write_manifest(tmp_path / "splits.csv", source, source.splits)
    assert ids(open_as_it_is(str(tmp_path / "splits.csv"))) == ids(source)


def test_records_have_the_names_beside_them(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    png = tf.io.encode_png(np.zeros((4, 4, 3), np.uint8)).numpy()
    with tf.io.TFRecordWriter(str(folder / "a.tfrecord")) as file:
        for label in range(2):
            file.write(tf_example(png + bytes([label]), label, "").SerializeToString())
    (folder / "labels.txt").write_text("0:ant\n1:bee\n")
    url = stored(folder, "records")
    for data in (url, f"{url}/a.tfrecord"):
        source = open_as_it_is(data)
        assert source.class_names == ("ant", "bee")
        assert source.origin == data
        assert ids(source) == ["a.tfrecord #0", "a.tfrecord #1"]


def test_messages_name_the_url_and_the_line(pictures, tmp_path):
    (tmp_path / "one" / "cat").mkdir(parents=True)
    (tmp_path / "one" / "cat" / "1.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="1 class folder in 'memory://one'"):
        open_as_it_is(stored(tmp_path / "one", "one"))
    with pytest.raises(UsageError, match="'memory://one/cat/1.jpg' is a file, but neither"):
        open_as_it_is("memory://one/cat/1.jpg")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.csv").write_text("path,label,weight\nx.jpg,a,-1\n")
    with pytest.raises(UsageError, match="Line 2 of the manifest 'memory://two/a.csv' has the w"):
        open_as_it_is(stored(tmp_path / "two", "two") + "/a.csv")
    (tmp_path / "two" / "a.csv").write_text("path,label\nx.jpg,a\ny.jpg,b\n")
    with pytest.raises(DataError, match="first 2 files in .*the first is 'memory://two/x.jpg'"):
        open_as_it_is(stored(tmp_path / "two", "two") + "/a.csv")


def test_a_listed_file_that_is_missing_is_named_when_it_is_read(pictures, tmp_path):
    url = stored(pictures, "missing")
    lines = [
        f"{url}/test/{name}/{number}.jpg,{name}" for name in ("red", "blue") for number in (0, 9)
    ]
    (tmp_path / "photos.csv").write_text("path,label\n" + "\n".join(lines))
    split = open_as_it_is(str(tmp_path / "photos.csv")).splits["train"]
    bad = find_unreadable(split)
    assert [split.describe(place) for place in bad] == [lines[1][:-4], lines[3][:-5]]
    assert reasons_unreadable(split, bad) == ["there is no such file"] * 2


def test_a_manifest_here_lists_files_here():
    files = ListedFiles("tables/photos.csv")
    with pytest.raises(DataError, match="'tables/a.jpg'"):
        files.located(["a.jpg"])
    assert files.located([__file__, "a.jpg"]) == ([__file__, "tables/a.jpg"],) * 2 + ("",)
    assert pathlib.Path(__file__).is_file()
