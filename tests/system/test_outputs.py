import os
import pathlib

import pytest

from tfxfer.errors import UsageError
from tfxfer.system.files import check_output, why_unwritable


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none/x.json", "there is no directory"),
        ("file/x.json", "is not a directory"),
        ("folder", "it is a directory"),
        ("new/", "it is a directory"),
        ("x" * 300, "File name too long"),
        ("x" * 250, "File name too long"),  # there is no room for the name it is made under
        ("gone/x.json", "there is no directory"),
        ("circle", "ymlink"),
        ("model.keras", "it is read for this"),
        ("again.keras", "it is read for this"),
    ],
)
def test_what_keeps_a_file_from_being_written_is_said(name, reason, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "model.keras").touch()
    (tmp_path / "again.keras").symlink_to("model.keras")
    with pytest.raises(UsageError, match=r"Choose another file with --json\.") as caught:
        check_output(f"{tmp_path}/{name}", "--json", [tmp_path / "model.keras", "digits"])
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["", "-"])
def test_what_is_no_name_of_a_file_is_refused(name):
    with pytest.raises(UsageError, match="it is not a file name"):
        check_output(name)


def test_what_can_be_written_is_not_made(tmp_path):
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to("new")
    for name in ("there", "new", "link"):
        check_output(tmp_path / name, "--json", [tmp_path])
    check_output("/dev/null")
    assert (tmp_path / "there").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"there", "link"}


def test_a_system_of_files_that_takes_none_is_told_of():
    assert why_unwritable(pathlib.Path("/proc")) is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_directory_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="no permission to write in"):
        check_output(tmp_path / "x")
