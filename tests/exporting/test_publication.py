"""Where a publication goes, and under which name."""

import dataclasses
import pathlib

import pytest

from tfxfer.errors import UsageError
from tfxfer.exporting.publication import Publication, PublicationSettings


def test_a_run_is_published_under_its_name_and_a_file_under_its_own(trained, tmp_path):
    wanted = Publication(export_dir=str(tmp_path))
    assert wanted.directory(trained) == tmp_path / trained.path.resolve().parent.name
    for path, name in {"photos/model.keras": "photos", "photos/birds.keras": "birds"}.items():
        alone = dataclasses.replace(trained, config=None, path=tmp_path / path)
        assert wanted.directory(alone) == tmp_path / name
    assert Publication().directory(alone) == pathlib.Path("saved_models", "birds")
    named = Publication(name="b", export_dir=str(tmp_path))
    assert named.directory(trained) == tmp_path / "b"


def test_a_name_that_no_server_takes_is_refused_before_the_work():
    with pytest.raises(UsageError, match="'name' is 'a b'.*plain name"):
        Publication(name="a b")


def test_the_keywords_are_the_fields():
    fields = [field.name for field in dataclasses.fields(Publication)]
    assert list(PublicationSettings.__annotations__) == fields
