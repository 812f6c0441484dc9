"""Data sets of TFDS: small ones that the tests prepare, and the errors of those that are absent."""

import re
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.reading import LabelReading
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.data.sources.tfds import CHARACTERS
from tfxfer.errors import DataError, UsageError

tfds = pytest.importorskip("tensorflow_datasets")


def examples(grays, labels, side=6):
    for gray, label in zip(grays, labels, strict=True):
        yield f"{gray:04}", {"image": np.full((side, side, 3), gray, np.uint8), "label": label}


class TfxferShades(tfds.core.GeneratorBasedBuilder):
    """Forty training and seven test images of one gray each; the label is the gray modulo 3."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=["zero", "one", "two"]),
                    "mask": tfds.features.Image(shape=(2, 2, 1)),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {name: self._generate(name) for name in ("train", "test")}

    def _generate(self, split):
        grays = range(40) if split == "train" else range(100, 107)
        for key, example in examples(grays, [gray % 3 for gray in grays]):
            yield key, {**example, "mask": np.zeros((2, 2, 1), np.uint8)}

    def _generate_examples(self):
        raise NotImplementedError


class TfxferHidden(TfxferShades):
    """The same, but nobody says what the test images are."""

    VERSION = tfds.core.Version("1.0.0")

    def _generate(self, split):
        for key, example in super()._generate(split):
            yield key, {**example, "label": example["label"] if split == "train" else -1}


class TfxferBoxes(tfds.core.GeneratorBasedBuilder):
    """Images without classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {"image": tfds.features.Image(), "box": tfds.features.BBoxFeature()}
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        box = tfds.features.BBox(0.0, 0.0, 1.0, 1.0)
        yield "0", {"image": np.zeros((4, 4, 3), np.uint8), "box": box}


class TfxferTags(tfds.core.GeneratorBasedBuilder):
    """Forty images of one gray each, with any number of labels."""

    VERSION = tfds.core.Version("1.0.0")
    MORE: ClassVar[dict] = {}

    def _info(self):
        tags = tfds.features.Sequence(tfds.features.ClassLabel(names=["even", "three", "large"]))
        features = {"image": tfds.features.Image(shape=(6, 6, 3)), "tags": tags, **self.MORE}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=None
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for gray in range(40):
            has = [gray % 2 == 0, gray % 3 == 0, gray >= 20]
            told = {
                "kind": gray % 3 if gray else -1,
                "mood": gray % 2,
                "price": np.float32(np.nan if gray == 7 else gray / 2),
            }
            yield (
                f"{gray:04}",
                {
                    "image": np.full((6, 6, 3), gray, np.uint8),
                    "tags": [-1] if gray == 5 else [place for place in range(3) if has[place]],
                    **{name: told[name] for name in self.MORE},
                },
            )


class TfxferMany(TfxferTags):
    """The same with two classes and a number, too."""

    VERSION = tfds.core.Version("1.0.0")
    MORE: ClassVar[dict] = {
        "kind": tfds.features.ClassLabel(names=["zero", "one", "two"]),
        "mood": tfds.features.ClassLabel(names=["calm", "wild"]),
        "price": tfds.features.Scalar(np.float32),
    }


class TfxferEither(TfxferTags):
    """The same with one class, too."""

    VERSION = tfds.core.Version("1.0.0")
    MORE: ClassVar[dict] = {"mood": tfds.features.ClassLabel(names=["calm", "wild"])}


class TfxferTestOnly(TfxferShades):
    """A data set that has no training images."""

    VERSION = tfds.core.Version("1.0.0")

    def _split_generators(self, dl_manager):
        return {"test": self._generate("test")}


class TfxferRemote(TfxferShades):
    """A data set whose download fails."""

    VERSION = tfds.core.Version("1.0.0")

    def _split_generators(self, dl_manager):
        raise ConnectionError("The server is on fire.")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Where the data sets above lie prepared."""
    directory = tmp_path_factory.mktemp("tfds")
    # Whether Google's bucket has the data needs no asking.
    local = tfds.download.DownloadConfig(try_download_gcs=False)
    several = ("tfxfer_tags", "tfxfer_many", "tfxfer_either")
    for name in ("tfxfer_shades", "tfxfer_hidden", "tfxfer_boxes", "tfxfer_test_only", *several):
        tfds.builder(name, data_dir=directory).download_and_prepare(download_config=local)
    # A set that TFDS does not know by name.
    (directory / "private_shades").mkdir()
    for path in (directory / "tfxfer_shades" / "1.0.0").iterdir():
        target = directory / "private_shades" / "1.0.0" / path.name.replace("tfxfer", "private")
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes().replace(b"tfxfer_shades", b"private_shades"))
    return directory


def opened(name, data_dir, **settings):
    return open_source(FitConfig(data=name, data_dir=str(data_dir), **settings))


def grays(split):
    return [int(tf.io.decode_png(image)[0, 0, 0]) for image in split.open_images()]


@pytest.mark.parametrize("name", ["tfxfer_shades", "private_shades", "tfxfer_shades:1.0.0"])
def test_prepared_data_are_opened_with_their_splits_and_names(data_dir, name):
    source = opened(name, data_dir)
    assert source.name == name.replace(":", "-")
    assert source.class_names == ("zero", "one", "two")
    assert {key: len(split) for key, split in source.splits.items()} == {
        "train": 32,
        "validation": 8,
        "test": 7,
    }
    assert source.image_height_width == (6, 6)
    assert source.mirrored


def test_images_stay_encoded_and_agree_with_the_labels(data_dir):
    source = opened("tfxfer_shades", data_dir)
    for split in source.splits.values():
        assert split.open_images().element_spec == tf.TensorSpec((), tf.string)
        assert [gray % 3 for gray in grays(split)] == split.labels.tolist()
    carved = grays(source.splits["train"]) + grays(source.splits["validation"])
    assert sorted(carved) == list(range(40))


def test_an_id_is_the_place_in_the_split_as_tfds_slices_it(data_dir):
    train = opened("tfxfer_shades", data_dir).splits["train"]
    for index in (0, 13, 31):
        number = int(re.fullmatch(r"tfxfer_shades train #(\d+)", train.describe(index))[1])
        builder = tfds.builder("tfxfer_shades", data_dir=data_dir)
        (example,) = builder.as_dataset(split=f"train[{number}:{number + 1}]")
        assert int(example["image"][0, 0, 0]) == grays(train)[index]


def test_a_test_split_without_labels_counts_as_absent_with_a_note(data_dir):
    source = opened("tfxfer_hidden", data_dir)
    for part in ("7 of the 7 images", "'test'", "no label", "left out"):
        assert part in source.notes[0]
    assert {key: len(split) for key, split in source.splits.items()} == {
        "train": 24,
        "validation": 8,
        "test": 8,
    }


def test_data_without_an_image_and_its_class_are_an_error_that_lists_the_features(data_dir):
    with pytest.raises(UsageError, match=r"are box \(BBoxFeature\), image \(Image\)\.$"):
        opened("tfxfer_boxes", data_dir)


def test_data_without_training_images_are_an_error_that_lists_the_splits(data_dir):
    with pytest.raises(UsageError, match=r"no .*'train'.* test\.$"):
        opened("tfxfer_test_only", data_dir)


@pytest.mark.parametrize("name", ["plain", "data{1} {0} {x}", "%s <reason> [a]"])
def test_data_that_cannot_be_downloaded_are_an_error_that_says_what_to_do(name, tmp_path):
    with pytest.raises(DataError) as caught:
        opened("tfxfer_remote", tmp_path / name)
    message = str(caught.value)
    assert f"'tfxfer_remote' is not prepared in '{tmp_path}/{name}/tfxfer_remote/1.0.0'" in message
    assert "cannot be downloaded: The server is on fire" in message
    assert "tfds.builder('tfxfer_remote').download_and_prepare()" in message
    assert "--data-dir" in message


def test_an_unknown_data_set_is_an_error_that_names_the_nearest(data_dir):
    place = re.escape(str(data_dir))
    with pytest.raises(UsageError, match=rf"in '{place}'.*'cifr10'.*'cifar10'\?"):
        opened("cifr10", data_dir)
    with pytest.raises(UsageError, match=r"'private_shade'\. Did you mean 'private_shades'\?$"):
        opened("private_shade", data_dir)
    with pytest.raises(UsageError, match=r"'digit'\. Did you mean 'digits'\?$"):
        opened("digit", data_dir)


def test_an_unknown_configuration_is_an_error_that_lists_those_there_are(data_dir):
    message = r"'emnist' .*'leters'.*Did you mean 'letters'\?.* byclass, bymerge,"
    with pytest.raises(UsageError, match=message):
        opened("emnist/leters", data_dir)


def test_an_unknown_version_is_an_error_that_names_the_newest(data_dir):
    message = r"'tfxfer_shades' .*'9\.9\.9'.* newest .*1\.0\.0\.$"
    with pytest.raises(UsageError, match=message):
        opened("tfxfer_shades:9.9.9", data_dir)


def test_sets_of_characters_are_data_sets_of_tfds():
    assert set(tfds.list_builders(with_community_datasets=False)) >= CHARACTERS


@pytest.mark.parametrize("name", ["data{1} {x}", "a[b]*", "100% %s"])
def test_prepared_data_may_lie_in_a_folder_of_any_name(name, data_dir, tmp_path):
    (tmp_path / name).symlink_to(data_dir)
    source = opened("tfxfer_shades", tmp_path / name)
    assert {split: len(part) for split, part in source.splits.items()}["test"] == 7


def as_it_is(name, data_dir, **settings):
    how = LabelReading.of(FitConfig(**settings))
    source = open_as_it_is(name, str(data_dir), how=how)
    return source, source.splits["train"]


@pytest.mark.parametrize(
    ("name", "settings"), [("tfxfer_tags", {}), ("tfxfer_many", {"labels": "multi"})]
)
def test_a_sequence_of_classes_is_any_number_of_labels(data_dir, name, settings):
    source, train = as_it_is(name, data_dir, **settings)
    assert source.class_names == ("even", "three", "large")
    assert source.special == "multi-label"
    numbers = grays(train)
    expected = [[one % 2 == 0, one % 3 == 0, one >= 20] for one in numbers]
    np.testing.assert_array_equal(train.labels, np.array(expected, np.float32))
    assert 5 not in numbers  # whose labels are kept secret
    assert "1 of the 40 images of 'train' have no label" in source.notes[0]
    assert train.labels[numbers.index(1)].tolist() == [0, 0, 0]


def test_several_classes_are_tasks_if_they_are_named(data_dir):
    source, train = as_it_is("tfxfer_many", data_dir, tasks="mood,kind")
    assert source.tasks.as_json() == {"mood": ["calm", "wild"], "kind": ["zero", "one", "two"]}
    numbers = grays(train)
    expected = [[one % 2, one % 3 if one else -1] for one in numbers]
    assert source.tasks.chosen(train.labels).tolist() == expected
    assert len(train) == 40


def test_a_number_is_the_target_if_it_is_named(data_dir):
    source, train = as_it_is("tfxfer_many", data_dir, target="price")
    assert (source.special, source.class_names) == ("numeric", ("price",))
    assert train.labels.tolist() == [one / 2 for one in grays(train)]
    assert len(train) == 39


@pytest.mark.parametrize(
    ("name", "settings", "parts"),
    [
        (
            "tfxfer_either",
            {},
            "'mood', and any number .* in 'tags'.*single or .*multi",
        ),
        ("tfxfer_many", {"labels": "single"}, "each of 'kind' and 'mood'.* --tasks kind,mood"),
        ("tfxfer_many", {"tasks": "kind,modo"}, "'modo', but .* class are: .*mean 'mood'"),
        ("tfxfer_many", {"target": "kind"}, "'kind', but .* number are: price"),
        ("tfxfer_shades", {"labels": "multi"}, "does not map"),
        ("tfxfer_many", {"label_columns": "kind,mood"}, "--label-columns.* dataset of a library"),
    ],
)
def test_labels_that_could_be_read_in_two_ways_are_one_line(data_dir, name, settings, parts):
    with pytest.raises(UsageError, match=parts) as error:
        as_it_is(name, data_dir, **settings)
    assert "\n" not in str(error.value)


def test_one_of_two_readings_may_be_chosen(data_dir):
    source, train = as_it_is("tfxfer_either", data_dir, labels="single")
    assert (source.special, source.class_names) == ("", ("calm", "wild"))
    assert train.labels.tolist() == [one % 2 for one in grays(train)]


def test_a_manifest_of_such_images_opens_them_whatever_their_labels(data_dir, tmp_path):
    path = tmp_path / "again.csv"
    rows = [f"tfxfer_many train #{place},{'ab'[place % 2]},tfxfer_many" for place in range(40)]
    path.write_text("\n".join(["path,label,source", *rows]))
    source, train = as_it_is(str(path), data_dir)
    assert (source.class_names, len(train)) == (("a", "b"), 40)
