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
        ("model.keras", "input file"),
        ("again.keras", "input file"),
    ],
)
def test_the_reason_why_a_file_cannot_be_written_is_given(name, reason, tmp_path):
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


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "text", "not a text file"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "text", "not a text file"),
        (b"PK\x03\x04\x14\0", "text", "not a text file"),
        (b"PAR1\x15\x04", "text", "not a text file"),
        (b"path,label\n", "parquet", "not a Parquet file"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "parquet", "not a Parquet file"),
    ],
)
def test_a_file_of_another_kind_is_not_replaced(content, kind, reason, tmp_path):
    path = tmp_path / "there"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"'{path}'.* {reason}") as caught:
        check_output(path, "--output", kind=kind)
    assert str(caught.value).endswith("Choose another file with --output.")
    assert path.read_bytes() == content
    check_output(path, "--output")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "text"),
        (b"", "parquet"),
        ("котик\t\x1b[0m\r\n".encode(), "text"),
        (b"PAR1\x15", "parquet"),
    ],
)
def test_a_file_of_the_same_kind_is_replaced(content, kind, tmp_path):
    (tmp_path / "there").write_bytes(content)
    check_output(tmp_path / "there", kind=kind)


def test_of_a_link_the_directory_that_it_leads_to_is_named(tmp_path):
    (tmp_path / "link").symlink_to("nowhere/x.json")
    with pytest.raises(UsageError, match=f"there is no directory '{tmp_path}/nowhere'"):
        check_output(tmp_path / "link")


def test_a_read_only_file_system_is_reported():
    assert why_unwritable(pathlib.Path("/proc")) is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_directory_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="no permission to write in"):
        check_output(tmp_path / "x")
