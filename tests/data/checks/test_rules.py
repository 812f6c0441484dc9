"""What is found in data, and that a fit does what it says."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import file_of, scene, scene_file, write_cats_and_dogs
from PIL import Image

from tfxfer.api.check import check
from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_source


@pytest.fixture
def folder(tmp_path):
    """Cats and dogs without fault: 4 of each to train on, 2 to validate, 2 to test."""
    return write_cats_and_dogs(tmp_path)


def found(folder, **settings):
    """Returns what was found by kind, with the examples as paths from the folder."""
    return by_kind(check(str(folder), **settings), folder)


def by_kind(result, folder):
    return {
        finding.kind: (
            finding,
            [tuple(one.replace(f"{folder}/", "") for one in group) for group in finding.examples],
        )
        for finding in result.findings
    }


def plant_faults(cats):
    """Writes files of every kind that is not as it should be into a folder of readable images."""
    # Unreadable, or of no format that is read.
    (cats / "0.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(900))
    (cats / "drawing.png").write_bytes(b"<?xml version='1.0'?><svg xmlns='x'/>")
    (cats / "gone.jpg").symlink_to(cats / "nowhere.jpg")
    (cats / "page.jpg").write_bytes(b"<!doctype html><title>403</title>")
    (cats / "text.jpg").write_bytes(b"no image")
    (cats / "SHOUTED.JPE").write_bytes(scene_file(99))
    (cats / "notes.txt").write_text("mine")
    # Read all the same.
    (cats / "misnamed.jpg").write_bytes(scene_file(50, kind="PNG"))
    exif = Image.Exif()
    exif[0x0112] = 3
    (cats / "turned.jpg").write_bytes(scene_file(51, exif=exif))
    (cats / "long.jpg").write_bytes(scene_file(52, (300, 60)))
    (cats / "tiny.jpg").write_bytes(scene_file(53, (12, 11)))
    samples = (np.asarray(scene(1, (80, 60)).convert("L")).astype(np.uint16) * 16)[..., np.newaxis]
    (cats / "dark.png").write_bytes(tf.io.encode_png(samples).numpy())
    (cats / "dark.tif").write_bytes(file_of(Image.fromarray(samples[..., 0]), "TIFF"))
    (cats / "bright.png").write_bytes(tf.io.encode_png(samples * 16).numpy())
    for number in range(10, 16):
        (cats / f"{number}.jpg").write_bytes(scene_file(100 + number))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Cats with faults of many kinds in train, and a truncated dog in validation."""
    folder = write_cats_and_dogs(tmp_path_factory.mktemp("faulty"))
    plant_faults(folder / "train" / "cat")
    (folder / "val" / "dog" / "1.jpg").write_bytes(scene_file(7)[:300])
    return folder


@pytest.fixture(scope="module")
def faults(faulty):
    """What is found in them."""
    return found(faulty)


UNREADABLE = ("0.jpg", "drawing.png", "gone.jpg", "page.jpg", "text.jpg")


def test_unreadable_files_stop_a_fit_or_are_left_out(faulty, faults):
    finding, examples = faults["unreadable"]
    assert finding.blocks
    assert finding.message.startswith("6 ")
    said = dict(one.split(": ", 1) for (one,) in examples)
    assert list(said) == [*(f"train/cat/{name}" for name in UNREADABLE), "val/dog/1.jpg"]
    assert all(said.values())
    finding, _ = found(faulty, bad_images="skip")["unreadable"]
    assert not finding.blocks
    assert "leaves them out" in finding.action


def test_unsupported_and_missing_files_are_reported_with_the_next_step(faults):
    said = dict(one.split(": ", 1) for (one,) in faults["unreadable"][1])
    for name, parts in zip(
        UNREADABLE,
        (("HEIC", "heif-convert"), ("SVG", "rsvg-convert"), ("no such file",), ("web page",)),
        strict=False,
    ):
        assert all(part in said[f"train/cat/{name}"] for part in parts)


def test_files_that_are_not_what_their_name_says_are_read_all_the_same(faults):
    finding, examples = faults["misnamed"]
    assert examples == [("train/cat/misnamed.jpg: PNG",)]  # and SHOUTED.JPE is what it says
    assert not finding.blocks


def test_shapes_and_orientations_are_reported(faults):
    assert faults["orientation"][1] == [("train/cat/turned.jpg",)]
    assert faults["extreme shapes"][1] == [("train/cat/long.jpg: 300 x 60",)]
    assert faults["tiny images"][1] == [("train/cat/tiny.jpg: 12 x 11",)]


def test_imbalanced_classes_are_reported(faults):
    finding, _ = faults["imbalance"]
    # 3 of the first 4, SHOUTED.JPE, 7 that are read all the same, 6 more.
    assert "17 images of 'cat', 4 of 'dog'" in finding.message
    assert "--class-weights balanced" in finding.action


def test_notes_of_the_source_are_reported(faults):
    finding, _ = faults["left out"]
    assert "cat/notes.txt" in finding.message


def test_12_bit_samples_in_16_bit_files_are_reported(faults):
    finding, examples = faults["dark images"]
    assert examples == [("train/cat/dark.png",), ("train/cat/dark.tif",)]
    assert "2 images" in finding.message
    assert "lowest 1/16" in finding.message
    assert "upper 8 of 16 bits" in finding.action
    assert not finding.blocks


def test_duplicates_are_reported_by_split_and_label(folder):
    shutil.copy(folder / "train/cat/0.jpg", folder / "train/cat/copy.jpg")
    shutil.copy(folder / "train/cat/1.jpg", folder / "test/cat/copy.jpg")
    shutil.copy(folder / "train/dog/2.jpg", folder / "val/cat/copy.jpg")
    kinds = found(folder)
    assert list(kinds) == ["conflicting labels", "duplicates across splits", "duplicates"]
    assert kinds["conflicting labels"][1] == [("train/dog/2.jpg", "val/cat/copy.jpg")]
    assert sorted(kinds["duplicates across splits"][1]) == [
        ("train/cat/1.jpg", "test/cat/copy.jpg"),
        ("train/dog/2.jpg", "val/cat/copy.jpg"),
    ]
    assert kinds["duplicates"][1] == [("train/cat/0.jpg", "train/cat/copy.jpg")]
    assert not any(finding.blocks for finding, _ in kinds.values())
    # And this is what a fit does.
    assert len(open_source(FitConfig(data=str(folder))).splits["train"]) == 9 - 2


def test_near_duplicates_are_reported(folder):
    (folder / "test/cat/small.png").write_bytes(scene_file(1, (40, 30), "PNG"))
    (folder / "train/dog/5.jpg").write_bytes(scene_file(8, quality=50))
    kinds = found(folder)
    assert "1 group" in kinds["near duplicates in two splits"][0].message
    assert kinds["near duplicates in two splits"][1] == [("train/cat/0.jpg", "test/cat/small.png")]
    assert kinds["near duplicates in one split"][1] == [("train/dog/3.jpg", "train/dog/5.jpg")]


def written_as_png(folder, name, seed, changed=0):
    """Writes a picture without loss, of which a pixel in a corner may be another."""
    picture = scene(seed)
    picture.putpixel((changed % 80, 0), (changed % 256, 0, 0))
    (folder / name).write_bytes(file_of(picture, "PNG"))


def test_of_many_pictures_that_look_the_same_a_few_are_named_and_all_counted(folder):
    # Thirty of one look, of which copies of two to the last bit are in train and in test; the
    # first that are named are of both splits and both labels.
    for number in range(25):
        written_as_png(folder, f"train/cat/alike{number:02d}.png", 77, number)
    for number in range(5):
        written_as_png(folder, f"test/dog/alike{number}.png", 77, 100 * number)
    result = check(str(folder))
    kinds = by_kind(result, folder)
    finding, (named,) = kinds["near duplicates in two splits"]
    assert finding.affected.count == 1
    assert finding.affected.num_examples == 30
    assert finding.affected.sizes == (30,)
    assert "30 images" in finding.message
    assert "1 group with more than one label" in finding.message
    assert named == (
        *(f"train/cat/alike{number:02d}.png" for number in range(9)),
        "test/dog/alike0.png",
    )
    assert "near duplicates in one split" not in kinds
    # 0 and 100 are the same; as are 20 and 100, for the corner is one of 80 pixels.
    assert kinds["duplicates across splits"][1] == [
        ("train/cat/alike00.png", "test/dog/alike0.png")
    ]
    assert kinds["conflicting labels"][0].affected.count == 1
    output = result.describe()
    assert "alike04.png and 25 others" in output
    assert "alike05.png" not in output
    written = next(one for one in result.as_json()["findings"] if one["kind"].startswith("near"))
    assert (written["count"], written["num_examples"], written["sizes"]) == (1, 30, [30])
    assert len(written["examples"][0]) == 10


def test_the_largest_groups_are_reported_first(folder):
    for seed, count in ((61, 2), (62, 4), (63, 3)):
        for number in range(count):
            written_as_png(folder, f"train/dog/seed{seed} {number}.png", seed, number)
    finding, examples = found(folder)["near duplicates in one split"]
    assert finding.affected.sizes == (4, 3, 2)
    assert [names[0] for names in examples] == [
        f"train/dog/seed{seed} 0.png" for seed in (62, 63, 61)
    ]
    assert finding.affected.num_examples == 9
    assert "label" not in finding.message


def test_a_class_without_images_in_a_split_is_reported_and_is_an_error_in_train(folder):
    shutil.rmtree(folder / "test" / "dog")
    for path in (folder / "train" / "dog").iterdir():
        shutil.move(path, folder / "val" / "dog" / f"was {path.name}")
    for number in range(2):  # copies alone, which are left out
        shutil.copy(folder / f"val/dog/{number}.jpg", folder / f"train/dog/{number}.jpg")
    kinds = found(folder)
    finding, examples = kinds["classes missing in train"]
    assert finding.blocks
    assert examples == [("dog",)]
    finding, examples = kinds["classes missing in test"]
    assert not finding.blocks
    assert examples == [("dog",)]
