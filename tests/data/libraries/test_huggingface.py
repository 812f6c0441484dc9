"""What datasets of Hugging Face have in common, whatever they hold."""

import pytest

from tfxfer.data.libraries.huggingface import (
    chosen_splits,
    class_names,
    is_saved,
    labels_of,
    load_splits,
    place_of,
    title_of,
)
from tfxfer.errors import DataError, UsageError

datasets = pytest.importorskip("datasets")


def rows(labels):
    return datasets.Dataset.from_dict({"label": labels})


def test_what_was_saved_is_recognized_loaded_and_named(tmp_path):
    rows(["a", "b"]).save_to_disk(tmp_path / "pets")
    assert is_saved(tmp_path / "pets")
    assert not is_saved(tmp_path)
    loaded = load_splits(str(tmp_path / "pets"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 2}
    assert title_of(str(tmp_path / "pets")) == "pets"
    assert place_of(str(tmp_path / "pets")) == str((tmp_path / "pets").resolve())
    assert title_of("hf:owner/pets") == "pets"
    assert place_of("hf:owner/pets") == "hf:owner/pets"
    with pytest.raises(DataError, match="other"):
        load_splits(str(tmp_path / "other"))


def test_classes_and_labels_are_numbered_by_name():
    names = class_names("pets", rows(["b", "a"]), "label")
    assert names == ("a", "b")
    assert labels_of("pets train", rows(["b", "a", "b"]), "label", names).tolist() == [1, 0, 1]
    with pytest.raises(UsageError, match="pets test.*'c'"):
        labels_of("pets test", rows(["c"]), "label", names)
    with pytest.raises(UsageError, match="1 class"):
        class_names("pets", rows(["a"]), "label")


def test_splits_are_those_that_are_meant():
    loaded = {"train": 1, "dev": 2, "more": 3}
    assert chosen_splits("pets", loaded, {}, True) == {"train": 1, "validation": 2}
    assert chosen_splits("pets", loaded, {"train": "more"}, True)["train"] == 3
    with pytest.raises(UsageError, match="'mroe'.*more"):
        chosen_splits("pets", loaded, {"train": "mroe"}, True)
    with pytest.raises(UsageError, match="no split 'train'"):
        chosen_splits("pets", {"more": 3}, {}, True)
