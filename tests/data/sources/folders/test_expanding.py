"""What a path stands for, where images have no labels."""

import pytest
from conftest import scene_file

from tfxfer.data.sources.folders.expanding import expand
from tfxfer.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.jpg", "deep/c.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scene_file(1))
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def test_a_file_is_itself_and_a_folder_or_a_pattern_its_images(folder):
    said = []
    assert expand(folder / "notes.txt", said.append) == [folder / "notes.txt"]
    assert said == []
    everything = [folder / "a.jpg", folder / "b.jpg", folder / "deep" / "c.jpg"]
    assert expand(folder, said.append) == everything
    assert "notes.txt" in said[0]
    assert expand(folder / "*.jpg", said.append) == everything[:2]
    assert expand(folder / "**" / "c.jpg", said.append) == everything[2:]


def test_what_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(UsageError, match=r"There is no file '.*gone\.jpg'"):
        expand(folder / "gone.jpg", print)
    with pytest.raises(UsageError, match=r"No \.jpg, .* file matches '.*x\*'"):
        expand(folder / "x*", print)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"The folder '.*empty' has no \.jpg"):
        expand(tmp_path / "empty", print)
