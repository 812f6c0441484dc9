"""Files are read in blocks, in their order; one that cannot be read has a reason."""

import fsspec
import pytest

from tfxfer.data.remote import contents
from tfxfer.data.remote.contents import in_blocks, named_files
from tfxfer.errors import DataError, UsageError


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    for number in range(5):
        files.pipe(f"/read/{number}.jpg", bytes([number]))
    return files


def test_blocks_have_all_files_in_order_and_the_reasons(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "_BLOCK", 3)
    (tmp_path / "here.jpg").write_bytes(b"here")
    files = named_files(["memory://read"], [tmp_path / "here.jpg", "memory://read/9.jpg"], print)
    files.append(tmp_path / "gone.jpg")
    blocks = list(in_blocks(files))
    assert [len(block.files) for block in blocks] == [3, 3, 2]
    assert [file for block in blocks for file in block.files] == files
    read = [image.numpy() for block in blocks for image in block.split.open_images()]
    assert read == [b"\0", b"\1", b"\2", b"\3", b"\4", b"here"]
    assert [block.reasons for block in blocks] == [
        {},
        {},
        {0: "there is no such file", 1: "No such file or directory"},
    ]
    assert blocks[1].split.describe(0) == "memory://read/3.jpg"


def test_files_on_the_disk_alone_are_one_block(tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"1")
    (block,) = in_blocks(named_files([tmp_path], [], print))
    assert (block.files, block.reasons) == ([tmp_path / "1.jpg"], {})


def test_a_store_that_is_gone_ends_it(memory, monkeypatch):
    class Gone(type(memory)):
        protocol = "gone"

        def cat_file(self, path, **kwargs):
            raise ConnectionResetError("reset by peer")

    fsspec.register_implementation("gone", Gone, clobber=True)
    with pytest.raises(DataError, match="'gone://read/0.jpg': reset by peer"):
        list(in_blocks(["gone://read/0.jpg"]))
    with pytest.raises(UsageError, match="There is nothing at 'memory://nowhere'"):
        named_files(["memory://nowhere"], [], print)
