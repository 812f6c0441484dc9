"""Fixtures: data without a test split."""

import shutil

import pytest


@pytest.fixture(scope="session")
def without_test(pictures, tmp_path_factory):
    """The pictures without their test split."""
    folder = tmp_path_factory.mktemp("two")
    for split in ("train", "validation"):
        shutil.copytree(pictures / split, folder / split)
    return folder
