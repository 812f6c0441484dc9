"""Data sets of TFDS: small ones that the tests prepare, and the errors of those that are absent."""

import re

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_source
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
    for name in ("tfxfer_shades", "tfxfer_hidden", "tfxfer_boxes", "tfxfer_test_only"):
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
