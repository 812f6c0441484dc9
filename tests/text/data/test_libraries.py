"""Datasets of texts of TFDS, prepared here, and of Hugging Face, saved on the disk."""

import json

import pytest

from tfxfer.config.schema import FitConfig
from tfxfer.errors import DataError, UsageError
from tfxfer.text.data.libraries import is_of_library, read_library
from tfxfer.text.data.opening import open_texts
from tfxfer.text.recognition import holds_texts

tfds = pytest.importorskip("tensorflow_datasets")
datasets = pytest.importorskip("datasets")

NAMES = ["neg", "pos"]


class TfxferReviews(tfds.core.GeneratorBasedBuilder):
    """Reviews, some without a label, with a text that is no text of its class besides."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "title": tfds.features.Text(),
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=NAMES),
                }
            ),
        )

    def _split_generators(self, _):
        return {name: self._generate_examples(name) for name in ("train", "test", "unsupervised")}

    def _generate_examples(self, name):
        for number in range(40):
            text = f"{name} café number {number} of them"
            label = -1 if name == "unsupervised" or number == 7 else number % 2
            yield number, {"title": "Title", "text": text, "label": label}


class TfxferTitles(tfds.core.GeneratorBasedBuilder):
    """Texts without a class."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"title": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
        return {"train": iter([(0, {"title": "one"})])}

    def _generate_examples(self):
        raise NotImplementedError


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("tfds"))
    local = tfds.download.DownloadConfig(try_download_gcs=False)
    for name in ("tfxfer_reviews", "tfxfer_titles"):
        tfds.builder(name, data_dir=directory).download_and_prepare(download_config=local)
    return directory


def config_of(data, data_dir=None):
    return FitConfig(data=data, data_dir=data_dir, backbone="average")


def test_tfds_texts_are_read_by_name_in_the_order_of_its_slices(data_dir):
    called, found = read_library("tfxfer_reviews", data_dir)
    assert (called, found.class_names) == ("tfxfer_reviews", ("neg", "pos"))
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 39, "test": 39}
    assert any("1 of the 40" in note and "train" in note for note in found.notes)
    train = found.splits["train"]
    builder = tfds.builder("tfxfer_reviews", data_dir=data_dir)
    for one, text, label in list(zip(train.ids, train.texts, train.labels, strict=True))[:12]:
        number = int(one.rpartition("#")[2])
        (row,) = builder.as_dataset(split=f"train[{number}:{number + 1}]").as_numpy_iterator()
        assert (row["text"].decode(), row["label"]) == (text, label)


def test_splits_may_be_chosen_and_a_version_named_by_its_directory(data_dir):
    source = open_texts(config_of("tfxfer_reviews?train=train[:50%]&test=train[50%:]", data_dir))
    assert len(source.splits["test"]) in (19, 20)
    _, by_path = read_library(f"{data_dir}/tfxfer_reviews/1.0.0", None)
    assert len(by_path.splits["train"]) == 39
    with pytest.raises(UsageError, match="unknown"):
        read_library("tfxfer_reviews?train=unknown", data_dir)


def test_tfds_data_that_are_no_labeled_texts_are_refused_by_their_columns(data_dir):
    with pytest.raises(UsageError, match=r"tfxfer_titles.*title \(Text\)"):
        read_library("tfxfer_titles", data_dir)
    with pytest.raises(UsageError, match="tfxfer_nothing"):
        read_library("tfxfer_nothing", data_dir)


def rows(count, columns=("text",)):
    features = {name: datasets.Value("string") for name in columns}
    features["label"] = datasets.ClassLabel(names=NAMES)
    made = {name: [f"{name} {number}" for number in range(count)] for name in columns}
    made["label"] = [number % 2 for number in range(count)]
    return datasets.Dataset.from_dict(made, datasets.Features(features))


def test_hugging_face_texts_are_read_from_the_disk(tmp_path):
    saved = datasets.DatasetDict({"train": rows(30), "test": rows(6)})
    saved.save_to_disk(tmp_path / "reviews")
    source = open_texts(config_of(str(tmp_path / "reviews")))
    assert source.name == "reviews"
    assert source.class_names == ("neg", "pos")
    texts = [text for split in source.splits.values() for text in split.texts]
    assert len(texts) == len(set(texts))
    assert source.splits["test"].labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_the_column_of_texts_must_be_clear(tmp_path):
    rows(8, ("id", "sentence")).save_to_disk(tmp_path / "clear")
    _, found = read_library(str(tmp_path / "clear"), None)
    assert found.splits["train"].texts[3] == "sentence 3"
    rows(8, ("id", "title")).save_to_disk(tmp_path / "unclear")
    with pytest.raises(UsageError, match=r"id \(Value\), title \(Value\)"):
        read_library(str(tmp_path / "unclear"), None)


def test_bytes_that_are_not_utf8_are_named(tmp_path, data_dir, monkeypatch):
    builder = tfds.builder("tfxfer_reviews", data_dir=data_dir)
    monkeypatch.setattr(
        "tfxfer.text.data.libraries._tfds_rows",
        lambda *_: [{"text": b"ok", "label": 0}, {"text": b"caf\xe9", "label": 1}],
    )
    with pytest.raises(DataError, match="train #1.*byte 3"):
        read_library(str(builder.data_path), None)


def test_data_of_libraries_are_recognized_without_them(data_dir, tmp_path, monkeypatch):
    assert holds_texts("tfxfer_reviews", data_dir)
    assert holds_texts("tfxfer_reviews:1.0.0?train=test", data_dir)
    assert holds_texts(f"{data_dir}/tfxfer_reviews/1.0.0")
    assert holds_texts("imdb_reviews/plain_text")
    monkeypatch.setenv("TFDS_DATA_DIR", data_dir)
    assert holds_texts("tfxfer_reviews")
    assert not holds_texts("cifar10")
    rows(4).save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": rows(4)}).save_to_disk(tmp_path / "several")
    assert holds_texts(str(tmp_path / "one"))
    assert holds_texts(str(tmp_path / "several"))
    (tmp_path / "one" / "dataset_info.json").write_text(
        json.dumps({"features": {"image": {"_type": "Image"}, "text": {"dtype": "string"}}})
    )
    assert not holds_texts(str(tmp_path / "one"))


def test_names_and_directories_of_libraries_are_told_from_files(reviews, tmp_path):
    assert is_of_library("imdb_reviews")
    assert is_of_library("hf:ag_news")
    assert not is_of_library(str(reviews))
    assert not is_of_library(str(tmp_path / "missing.csv"))
