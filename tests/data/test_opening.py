"""What every source promises, whatever its data come from."""

import functools
import json
import os
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import tf_example

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.decoding import decode
from tfxfer.data.opening import open_source
from tfxfer.data.source import Split
from tfxfer.errors import DataError, UsageError
from tfxfer.system.digests import ID_BYTES

REAL_DATA = os.environ.get("TFXFER_REAL_DATA")
needs_real_data = pytest.mark.skipif(not REAL_DATA, reason="TFXFER_REAL_DATA is not set")

CLASSES = ("black", "gray", "white")
GRAYS = {"black": range(40), "gray": range(100, 120), "white": range(240, 247)}


def label_of(image: np.ndarray) -> int:
    """Returns the label that the pictures below show."""
    return int(np.digitize(image[0, 0, 0], [90, 230]))


def picture(gray: int) -> np.ndarray:
    return np.full((5, 4, 3), gray, np.uint8)


def flat_folder(root: pathlib.Path, part: slice = slice(None)) -> FitConfig:
    for name, grays in GRAYS.items():
        (root / name).mkdir(parents=True)
        for gray in grays[part]:
            content = tf.io.encode_png(picture(gray)).numpy()
            (root / name / f"{gray}.png").write_bytes(content)
    return FitConfig(data=str(root))


def split_folders(root: pathlib.Path) -> FitConfig:
    for place, split in enumerate(("train", "validation", "test")):
        flat_folder(root / split, slice(place, None, 3))
    return FitConfig(data=str(root))


def tfds_data_set(root: pathlib.Path) -> FitConfig:
    """Prepares a data set that TFDS does not know by name."""
    import tensorflow_datasets as tfds

    examples = [
        (f"{name} {gray}", {"image": picture(gray), "label": CLASSES.index(name)})
        for name, grays in GRAYS.items()
        for gray in grays
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="grays",
        version="1.0.0",
        data_dir=root,
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=CLASSES)}
        ),
        split_datasets={"train": examples},
        # Google's bucket need not be asked whether it has the data.
        download_config=tfds.download.DownloadConfig(try_download_gcs=False),
    )
    return FitConfig(data="grays", data_dir=str(root))


def tfds_directory(root: pathlib.Path) -> FitConfig:
    tfds_data_set(root)
    return FitConfig(data=str(root / "grays" / "1.0.0"))


def tfds_slices(root: pathlib.Path) -> FitConfig:
    """The same data, of which the last 20 have another role."""
    settings = tfds_data_set(root)
    slices = "grays?train=train[:70%]&validation=train[70%:85%]&test=train[85%:]"
    return FitConfig(data=slices, data_dir=settings.data_dir)


def listed(root: pathlib.Path, **columns) -> list[dict[str, str]]:
    """Writes the files of a folder and returns a row for each of them."""
    flat_folder(root / "files")
    return [
        {"path": f"files/{name}/{gray}.png", "label": name, **columns}
        for name, grays in GRAYS.items()
        for gray in grays
    ]


def csv_manifest(root: pathlib.Path) -> FitConfig:
    rows = listed(root)
    lines = ["path,label", *(f"{row['path']},{row['label']}" for row in rows)]
    (root / "list.csv").write_text("\n".join(lines), "utf-8")
    return FitConfig(data=str(root / "list.csv"))


def json_manifest_with_splits(root: pathlib.Path) -> FitConfig:
    rows = listed(root)
    for number, row in enumerate(rows):
        row["split"] = ("train", "train", "val", "test")[number % 4]
    (root / "list.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return FitConfig(data=str(root / "list.jsonl"))


def tfrecords(root: pathlib.Path) -> FitConfig:
    examples = []
    for label, name in enumerate(CLASSES):
        for gray in GRAYS[name]:
            content = tf.io.encode_png(picture(gray)).numpy()
            examples.append(tf_example(content, 1 + label, name).SerializeToString())
    root.mkdir(exist_ok=True)
    for shard in range(2):
        path = root / f"grays-0000{shard}-of-00002"
        with tf.io.TFRecordWriter(str(path), "GZIP" if shard else "") as writer:
            for example in examples[shard::2]:
                writer.write(example)
    return FitConfig(data=str(root))


def huggingface_on_disk(root: pathlib.Path) -> FitConfig:
    datasets = pytest.importorskip("datasets")
    rows = [
        (tf.io.encode_png(picture(gray)).numpy(), CLASSES.index(name))
        for name, grays in GRAYS.items()
        for gray in grays
    ]
    columns = {
        "image": [{"bytes": content, "path": None} for content, _ in rows],
        "label": [label for _, label in rows],
    }
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))}
    )
    datasets.Dataset.from_dict(columns, features).save_to_disk(str(root / "saved"))
    return FitConfig(data=str(root / "saved"))


def digits(root: pathlib.Path) -> FitConfig:
    return FitConfig(data="digits")


SOURCES = [
    digits,
    flat_folder,
    split_folders,
    tfds_data_set,
    tfds_directory,
    tfds_slices,
    csv_manifest,
    json_manifest_with_splits,
    tfrecords,
    huggingface_on_disk,
]


@pytest.fixture(scope="module", params=SOURCES)
def config(request, tmp_path_factory):
    """The settings that open one of the sources."""
    return request.param(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def source(config):
    return open_source(config)


# One graph for all tests: it takes a second to build, and decodes ten times as fast as without.
decoded = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)])


@functools.cache
def pixels(split: Split) -> list[np.ndarray]:
    images = split.open_images()
    if images.element_spec.dtype == tf.string:
        return [decoded(content).numpy() for content in images]
    return list(images.as_numpy_iterator())


def ids(split: Split) -> list[str]:
    return [split.describe(index) for index in range(len(split))]


def test_a_source_has_its_splits_in_order(source):
    assert list(source.splits) == ["train", "validation", "test"]


def test_labels_are_numbers_of_classes_and_every_class_is_in_every_split(source):
    for split in source.splits.values():
        assert split.labels.dtype == np.int64
        assert set(split.labels) == set(range(len(source.class_names)))


def test_there_are_as_many_images_as_labels(source):
    for split in source.splits.values():
        assert len(split) == len(split.labels) == len(pixels(split))


def test_images_are_encoded_or_uint8(source):
    for split in source.splits.values():
        spec = split.open_images().element_spec
        assert spec.dtype == tf.string or (spec.dtype == tf.uint8 and spec.shape[2] == 3)


def test_labels_agree_with_the_images(config, source):
    if config.data == "digits":
        pytest.skip("no formula tells a digit")
    assert source.class_names == CLASSES
    for split in source.splits.values():
        assert [label_of(image) for image in pixels(split)] == split.labels.tolist()


def test_the_order_is_the_same_when_opened_again(config, source):
    again = open_source(config)
    for name, split in source.splits.items():
        assert ids(again.splits[name]) == ids(split)
        np.testing.assert_array_equal(again.splits[name].labels, split.labels)
        np.testing.assert_array_equal(pixels(again.splits[name]), pixels(split))


def test_every_example_has_an_id_of_its_own_in_one_split_alone(source):
    together = [name for split in source.splits.values() for name in ids(split)]
    assert len(set(together)) == len(together)


def test_images_have_the_same_digest_where_they_are_the_same(source):
    seen: dict[bytes, bytes] = {}
    for split in source.splits.values():
        digests = split.digests()
        assert (digests.dtype, digests.shape) == (np.uint8, (len(split), ID_BYTES))
        for digest, image in zip(digests, pixels(split), strict=True):
            assert seen.setdefault(digest.tobytes(), image.tobytes()) == image.tobytes()
    assert len(seen) == len(set(seen.values()))


def test_an_image_read_by_its_index_is_that_of_the_order(source):
    for split in source.splits.values():
        if split.read_image is not None:
            in_order = list(split.open_images().as_numpy_iterator())
            for index in (0, len(split) // 2, len(split) - 1):
                np.testing.assert_array_equal(split.read_image(index), in_order[index])


def test_the_typical_size_is_that_of_the_images(config, source):
    assert source.image_height_width == ((8, 8) if config.data == "digits" else (5, 4))


def test_the_name_is_safe_as_a_file_name(source):
    assert re.fullmatch(r"\w[\w.-]*", source.name)


def test_limits_keep_a_stratified_part_in_the_same_order(config, source):
    limited = open_source(
        FitConfig(
            **{"data": config.data, "data_dir": config.data_dir},
            train_examples=20,
            validation_examples=10,
            test_examples=10_000,
        )
    )
    assert [len(split) for split in limited.splits.values()] == [20, 10, len(source.splits["test"])]
    for name, split in limited.splits.items():
        order = ids(source.splits[name])
        places = [order.index(name) for name in ids(split)]
        assert places == sorted(places)
        assert set(split.labels) == set(range(len(source.class_names)))
        np.testing.assert_array_equal(source.splits[name].labels[places], split.labels)
        assert len(pixels(split)) == len(split)


def test_another_seed_carves_other_examples(config, source):
    if not source.notes:
        pytest.skip("the data come with their splits")
    other = open_source(FitConfig(data=config.data, data_dir=config.data_dir, seed=1))
    assert ids(other.splits["validation"]) != ids(source.splits["validation"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "Missing setting 'data'."),
        ("photos/train", "no directory 'photos/train'"),
        ("./photos", "no directory './photos'"),
        ("~/no such folder", f"There is no directory '{os.path.expanduser('~/no such folder')}'."),
        ("/no/such/folder", "no directory '/no/such/folder'"),
        ("no such data", "no directory or dataset 'no such data'"),
    ],
)
def test_data_that_are_nowhere_are_an_error(data, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        open_source(FitConfig(data=data))


def test_a_directory_comes_before_a_data_set_of_the_same_name(tmp_path, monkeypatch):
    flat_folder(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert open_source(FitConfig(data="digits")).class_names == CLASSES


def test_fractions_that_leave_nothing_to_train_on_are_an_error():
    settings = FitConfig(data="digits", validation_fraction=0.5, test_fraction=0.5)
    with pytest.raises(UsageError, match=r"0\.5 and 0\.5.* below 1"):
        open_source(settings)


@needs_real_data
def test_prepared_cifar10_is_opened_offline_with_stratified_validation():
    data_dir = os.path.join(str(REAL_DATA), "tensorflow_datasets")
    source = open_source(FitConfig(data="cifar10", data_dir=data_dir))
    assert {name: np.bincount(split.labels).tolist() for name, split in source.splits.items()} == {
        "train": [4750] * 10,
        "validation": [250] * 10,
        "test": [1000] * 10,
    }
    assert source.image_height_width == (32, 32)


@needs_real_data
def test_the_order_of_cifar10_is_that_of_tfds():
    import tensorflow_datasets as tfds

    data_dir = os.path.join(str(REAL_DATA), "tensorflow_datasets")
    test = open_source(FitConfig(data="cifar10", data_dir=data_dir)).splits["test"]
    builder = tfds.builder("cifar10", data_dir=data_dir)
    expected = builder.as_dataset(split="test[:300]", as_supervised=True)
    for (image, label), ours, our_label in zip(
        expected, test.open_images().take(300), test.labels, strict=False
    ):
        assert label == our_label
        assert np.abs(decode(ours).numpy().astype(int) - image.numpy()).max() <= 6  # JPEG


@needs_real_data
def test_ants_and_bees_are_opened_with_the_gif_among_them():
    source = open_source(FitConfig(data=os.path.join(str(REAL_DATA), "hymenoptera")))
    assert source.class_names == ("ants", "bees")
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 245,
        "validation": 153,
    }
    assert any(name.endswith("imageNotFound.gif") for name in ids(source.splits["train"]))
    assert source.notes == ()


def test_images_that_are_in_two_splits_are_left_out_of_the_earlier_one(tmp_path):
    root = pathlib.Path(flat_folder(tmp_path / "train", slice(0, 5)).data).parent
    for split, name in (("val", "gray"), ("test", "black"), ("test", "gray")):
        (root / split / name).mkdir(parents=True)
    shutil.copy(root / "train" / "gray" / "100.png", root / "val" / "gray" / "copy.png")
    shutil.copy(root / "train" / "gray" / "101.png", root / "test" / "black" / "copy.png")
    shutil.copy(root / "train" / "gray" / "102.png", root / "test" / "gray" / "copy.png")
    for split, gray in (("val", 110), ("test", 111)):
        content = tf.io.encode_png(picture(gray)).numpy()
        (root / split / "gray" / "own.png").write_bytes(content)
    shutil.copy(root / "val" / "gray" / "own.png", root / "test" / "gray" / "also.png")
    source = open_source(FitConfig(data=str(root)))
    assert [os.path.basename(name) for name in ids(source.splits["train"])] == [
        *("0.png", "1.png", "2.png", "3.png", "4.png"),
        *("103.png", "104.png"),
        *("240.png", "241.png", "242.png", "243.png", "244.png"),
    ]
    assert [os.path.basename(name) for name in ids(source.splits["validation"])] == ["copy.png"]
    assert len(source.splits["test"]) == 4
    for note, pattern in zip(
        source.notes[:3],
        (
            "left out of 'train': 1 image .*'validation'",
            "left out of 'train': 2 images .*'test'",
            "left out of 'validation': 1 image .*'test'",
        ),
        strict=True,
    ):
        assert re.fullmatch(pattern, note)


def test_a_class_of_which_nothing_is_left_to_learn_is_an_error(tmp_path):
    for split in ("train", "val"):
        flat_folder(tmp_path / split, slice(0, 2))
    (tmp_path / "train" / "gray" / "102.png").write_bytes(tf.io.encode_png(picture(102)).numpy())
    with pytest.raises(DataError, match="'black' in 'train' .*another"):
        open_source(FitConfig(data=str(tmp_path)))


def test_a_split_of_which_nothing_is_left_is_an_error(tmp_path):
    for split, part in (("train", slice(0, 2)), ("val", slice(2, 4)), ("test", slice(2, 5))):
        flat_folder(tmp_path / split, part)
    with pytest.raises(DataError, match="'validation' .*another split"):
        open_source(FitConfig(data=str(tmp_path)))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return tfds_data_set(tmp_path_factory.mktemp("prepared"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("grays?tain=train", "'tain=train' after 'grays?'"),
        ("grays?train", "'train' after 'grays?'; expected SPLIT=SLICE"),
        ("grays?train=", "Cannot read 'train=' after 'grays?'"),
        ("grays?train=trian[:5]", "The dataset 'grays' has no 'trian[:5]': "),
        ("grays?train=train[:x]", "The dataset 'grays' has no 'train[:x]': "),
        ("digits?train=train", "'digits' is not a TFDS or Hugging Face"),
        ("/dev/null", "'/dev/null' is neither a file nor a directory"),
        ("x" * 5000, "There is no directory"),
        ("~nobodyatall/photos", "'~nobodyatall/photos', but there is no user 'nobodyatall'"),
        ("a\0b", "There is no directory or dataset"),
    ],
)
def test_invalid_slices_are_an_error(prepared, data, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        open_source(FitConfig(data=data, data_dir=prepared.data_dir))


def test_the_same_data_are_split_in_the_same_way_whatever_holds_them(tmp_path):
    opened = {
        make.__name__: open_source(make(tmp_path / make.__name__))
        for make in (flat_folder, csv_manifest, tfrecords, tfds_data_set, huggingface_on_disk)
    }
    assert len({source.fingerprint() for source in opened.values()}) == 1
    assert {source.class_names for source in opened.values()} == {CLASSES}


def test_a_folder_that_hides_the_bundled_data_is_noted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not any("bundled" in note for note in open_source(FitConfig(data="digits")).notes)
    flat_folder(tmp_path / "digits")
    source = open_source(FitConfig(data="digits"))
    assert source.class_names == CLASSES
    assert re.search("folder 'digits'.*rename.*bundled", source.notes[0])
