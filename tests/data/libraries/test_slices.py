import pytest

from tfxfer.data.libraries.slices import refuse_slices, slices_of
from tfxfer.errors import UsageError


def test_slices_are_read_by_split():
    meant = slices_of("a", "train=train[:80%]&test=more")
    assert meant == {"train": "train[:80%]", "test": "more"}
    assert slices_of("a", "") == {}


@pytest.mark.parametrize("query", ["train", "train=", "tran=x", "&"])
def test_what_is_no_slice_is_named(query):
    with pytest.raises(UsageError, match="a\\?train=train"):
        slices_of("a", query)


def test_slices_are_for_datasets_of_libraries():
    refuse_slices("folder", {})
    with pytest.raises(UsageError, match="folder"):
        refuse_slices("folder", {"train": "x"})
