"""No split that evaluates a model has images it was trained on, whatever the data."""

import dataclasses
import hashlib
import pathlib
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tfxfer.config.schema import RunConfig
from tfxfer.data.contents import NearCopyGroups
from tfxfer.data.opening import divided, open_as_it_is
from tfxfer.data.seen import EXPORTED_BYTES, Seen, bound, read_seen
from tfxfer.errors import UsageError

FRACTIONS = {"validation_fraction": 0.25, "test_fraction": 0.25}
CARVING = RunConfig(seed=5, **FRACTIONS)


def write_noise(folder, numbers):
    """Writes a picture of noise for each number, in two classes, and returns the folder."""
    for number in numbers:
        path = folder / ("heads", "tails")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


def contents(splits):
    """Returns the content of the images of each split, as a set."""
    return {name: {row.tobytes() for row in split.digests()} for name, split in splits.items()}


@pytest.fixture(scope="module")
def coin(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("data") / "coin", range(80))


@pytest.fixture(scope="module")
def run(coin):
    """The data of a run in its splits."""
    return divided(open_as_it_is(str(coin)), CARVING)


@pytest.fixture(scope="module", params=["of a run", "of an export"])
def seen(run, request, tmp_path_factory):
    """What a model of that run has seen, as its run or its export keeps it."""
    path = tmp_path_factory.mktemp("seen") / "model.seen.npz"
    num_bytes = EXPORTED_BYTES if request.param == "of an export" else None
    Seen.of(run, run.splits, CARVING).write(path, num_bytes)
    return read_seen(path)


def test_the_same_data_have_the_splits_of_the_run_wherever_they_lie(coin, run, seen, tmp_path):
    moved = shutil.copytree(coin, tmp_path / "renamed")
    found = bound(open_as_it_is(str(moved)), seen)
    assert contents(found.splits) == contents(run.splits)
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 40,
        "validation": 20,
        "test": 20,
    }
    assert found.evaluation_split == "test"
    assert found.num_trained_on == 40
    assert "40 of these 80 images" in found.notes_on("all")[-1]


def test_data_that_changed_are_tested_on_what_the_run_did_not_see(coin, run, seen, tmp_path):
    # Where the test of the run is gone, carving takes what it trained on for the test.
    changed = write_noise(shutil.copytree(coin, tmp_path / "changed"), range(80, 90))
    had = contents(run.splits)
    for path in changed.rglob("*.png"):
        if id_of(path.read_bytes()) in had["test"]:
            path.unlink()
    carved = contents(divided(open_as_it_is(str(changed)), CARVING).splits)
    trained_on, chose = carved["test"] & had["train"], carved["test"] & had["validation"]
    found = bound(open_as_it_is(str(changed)), seen)
    assert contents(found.splits)["test"] == carved["test"] - trained_on - chose
    assert contents(found.splits)["validation"] == carved["validation"] - had["train"]
    assert len(trained_on) > 5
    assert any(
        note.startswith(f"left out of 'test': {len(trained_on)} images") and "trained on" in note
        for note in found.notes
    )
    assert found.num_trained_on == 40
    assert sum(len(split) for split in found.everything.values()) == 70


def test_training_images_are_left_out_of_a_test_that_data_come_with(coin, run, seen, tmp_path):
    folder = tmp_path / "data"
    write_noise(folder / "train", range(300, 320))
    shutil.copytree(coin, folder / "test")
    write_noise(folder / "test", range(320, 330))
    found = bound(open_as_it_is(str(folder)), seen)
    new = contents({"new": open_as_it_is(str(folder)).splits["test"]})["new"]
    had = contents(run.splits)
    assert contents(found.splits)["test"] == new - had["train"] - had["validation"]
    assert len(found.splits["test"]) == 80 - 40 - 20 + 10
    left_out = [note for note in found.notes if note.startswith("left out of 'test': ")]
    assert any(re.search("40 images .*trained on", note) for note in left_out)
    assert any(re.search("20 images .*best epoch", note) for note in left_out)
    assert "40 of these 110 images" in found.notes_on("all")[-1]


def test_of_data_that_were_all_trained_on_there_is_no_test(coin, run, seen, tmp_path):
    train = {row.tobytes() for row in run.splits["train"].digests()}
    for path in coin.rglob("*.png"):
        if id_of(path.read_bytes()) in train:
            (tmp_path / path.parent.name).mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / path.parent.name)
    found = bound(open_as_it_is(str(tmp_path)), seen)
    assert (list(found.splits), found.evaluation_split) == (["train"], "all")
    with pytest.raises(UsageError, match=r"'test'.* all 10 images .*--split all"):
        found.part("test")


def test_data_too_small_to_be_divided_can_still_be_asked_about(seen, tmp_path):
    found = bound(open_as_it_is(str(write_noise(tmp_path, (400, 401)))), seen)
    assert (found.evaluation_split, found.num_trained_on) == ("all", 0)
    assert sum(len(split) for split in found.part("all").values()) == 2


def id_of(content):
    """Returns the digest of a file, written down here a second time."""
    digest = hashlib.sha256(len(content).to_bytes(8, "little") + content).digest()
    return digest[:16]


def test_limits_of_the_run_hold_for_its_own_data_alone(coin, tmp_path):
    limited = CARVING.with_settings({"train_examples": 10, "test_examples": 6})
    own = divided(open_as_it_is(str(coin)), limited)
    seen = Seen.of(own, own.splits, limited)
    assert contents(bound(open_as_it_is(str(coin)), seen).splits) == contents(own.splits)
    grown = write_noise(shutil.copytree(coin, tmp_path / "grown"), range(80, 120))
    found = bound(open_as_it_is(str(grown)), seen)
    assert found.num_trained_on == 10
    assert len(found.splits["test"]) > 6
    tested = contents(found.splits)["test"]
    assert not tested & (contents(own.splits)["train"] | contents(own.splits)["validation"])


def test_images_that_the_fit_skipped_are_in_no_split_either(coin, run):
    kept = {name: split.select(np.arange(1, len(split))) for name, split in run.splits.items()}
    found = bound(open_as_it_is(str(coin)), Seen.of(run, kept, CARVING))
    assert contents(found.splits) == contents(kept)
    assert any(re.search("left out of 'test'.* 1 image$", note) for note in found.notes)


def test_a_record_without_digests_knows_the_data_of_its_run_and_no_others(coin, run, tmp_path):
    seen = dataclasses.replace(Seen.of(run, run.splits, CARVING), digests={})
    assert contents(bound(open_as_it_is(str(coin)), seen).splits) == contents(run.splits)
    grown = write_noise(shutil.copytree(coin, tmp_path / "grown"), range(80, 90))
    assert bound(open_as_it_is(str(grown)), seen).evaluation_split == "all"


def test_without_a_record_no_test_is_split_off(coin):
    found = bound(open_as_it_is(str(coin)), None)
    assert (dict(found.splits), found.evaluation_split, found.num_trained_on) == ({}, "all", None)
    assert sum(len(split) for split in found.part("all").values()) == 80
    for split in ("train", "validation", "test"):
        with pytest.raises(UsageError, match=rf"'coin' has no split '{split}'.*no record.*--split"):
            found.part(split)
    assert "not known" in found.notes_on("all")[-1]


def test_without_a_record_a_test_that_data_come_with_is_one_with_a_note(tmp_path):
    write_noise(tmp_path / "train", range(20))
    write_noise(tmp_path / "test", range(15, 30))
    found = bound(open_as_it_is(str(tmp_path)), None)
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 15, "test": 15}
    assert found.evaluation_split == "test"
    assert any("cannot be checked" in note for note in found.notes)


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4corrupt"])
def test_a_record_that_is_corrupt_or_not_there_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "seen.npz").write_bytes(content)
    assert read_seen(tmp_path / "seen.npz") is None


@pytest.mark.parametrize("kind", ["folder", "manifest"])
def test_data_with_only_a_test_split_evaluate_a_model(kind, run, seen, tmp_path):
    write_noise(tmp_path / "data" / "test", range(100, 112))
    for name in sorted(contents(run.splits)):  # an image of each split of the run
        old = pathlib.Path(run.splits[name].describe(0))
        shutil.copy(old, tmp_path / "data" / "test" / old.parent.name / f"again_{name}.png")
    data = tmp_path / "data"
    if kind == "manifest":
        files = sorted(data.rglob("*.png"))
        lines = [f"{file.relative_to(data)},{file.parent.name},test" for file in files]
        (data / "all.csv").write_text("\n".join(["path,label,split", *lines, ""]))
        data = data / "all.csv"
    with pytest.raises(UsageError, match="no 'train'|nothing to train on"):
        open_as_it_is(str(data))
    found = bound(open_as_it_is(str(data), needs_train=False), seen)
    assert list(found.splits) == ["test"]
    assert len(found.splits["test"]) == 13  # what trained the model or chose its epoch is left out
    assert found.evaluation_split == "test"
    assert bound(open_as_it_is(str(data), needs_train=False), None).evaluation_split == "test"


@pytest.mark.parametrize("num_bytes", [None, EXPORTED_BYTES])
def test_data_whose_near_copies_were_kept_together_have_the_splits_of_the_run(
    coin, num_bytes, tmp_path
):
    whole = open_as_it_is(str(coin))
    digests = whole.splits["train"].digests()
    pairs = NearCopyGroups.of(digests[number : number + 2] for number in range(0, 40, 2))
    grouped = dataclasses.replace(whole, near_copies=pairs)
    run = divided(grouped, CARVING)
    assert contents(run.splits) != contents(divided(whole, CARVING).splits)
    Seen.of(run, run.splits, CARVING).write(tmp_path / "seen.npz", num_bytes)
    found = bound(open_as_it_is(str(coin)), read_seen(tmp_path / "seen.npz"))
    assert contents(found.splits) == contents(run.splits)
    assert any("was trained on" in note for note in found.notes)
