import codecs

import pytest

from tfxfer.errors import DataError, UsageError
from tfxfer.text.data.encoding import check_encoding, decoded, encoded, read_text, undecoded


def test_utf_8_is_read_with_and_without_a_mark(tmp_path):
    for start in (b"", codecs.BOM_UTF8):
        path = tmp_path / "a.txt"
        path.write_bytes(start + "café".encode())
        assert read_text(path) == "café"


def test_another_encoding_is_refused_by_file_and_offset(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"a.txt' is not UTF-8: byte 0xe9 at offset 3.*--encoding"):
        read_text(path)
    assert read_text(path, "latin-1") == "café"


def test_a_mark_of_another_encoding_is_told():
    with pytest.raises(DataError, match="--encoding utf-16"):
        decoded("é".encode("utf-16"), "utf-8", "a.txt")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read '.*none.txt': No such file"):
        read_text(tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["", "utf-9", "base64", "a\0"])
def test_unknown_encodings_are_refused(name):
    with pytest.raises(UsageError, match="Unknown encoding"):
        check_encoding(name)


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "latin-1", "cp1252", "utf-16"])
def test_encodings_of_python_are_known(name):
    check_encoding(name)


def test_any_bytes_survive_a_round_trip():
    content = bytes(range(256))
    assert encoded(undecoded(content)) == content
    assert encoded("\ud800") == b"?"
