"""Class names are read back, whatever is in them."""

import pytest
from nasty_names import NASTY_NAMES

from tfxfer.errors import UsageError
from tfxfer.runs.class_names import read_class_names, write_class_names


def test_class_names_are_read_back_in_order(tmp_path):
    names = ("b", "a", "", "ø 日本", "two\nlines", "\r", '"quoted"', 'a "b"', " <i>")
    write_class_names(tmp_path / "classes.txt", names)
    assert read_class_names(tmp_path / "classes.txt") == names
    with pytest.raises(UsageError, match=r"There is no '.*none.txt'.*one per line"):
        read_class_names(tmp_path / "none.txt")


@pytest.mark.parametrize("names", [NASTY_NAMES, NASTY_NAMES[::-1], ("\ufeffcat", "x ", "y")])
def test_class_names_are_read_back_whatever_is_in_them(tmp_path, names):
    write_class_names(tmp_path / "classes.txt", names)
    assert read_class_names(tmp_path / "classes.txt") == names
    # Other programs find a line for each, too.
    assert len((tmp_path / "classes.txt").read_text("utf-8").splitlines()) == len(names)


def test_class_names_that_were_edited_on_windows_are_read(tmp_path):
    (tmp_path / "classes.txt").write_bytes("\ufeffcaf\u00e9\r\ntea\r\n".encode())
    assert read_class_names(tmp_path / "classes.txt") == ("caf\u00e9", "tea")


def test_class_names_are_lines_unless_they_need_json(tmp_path):
    write_class_names(tmp_path / "classes.txt", ("cat", 'a "b"', "two\nlines", '"quoted"'))
    lines = (tmp_path / "classes.txt").read_text().splitlines()
    assert lines == ["cat", 'a "b"', r'"two\nlines"', r'"\"quoted\""']
    (tmp_path / "classes.txt").write_text('"unfinished\n')
    with pytest.raises(UsageError, match=r"'.*classes.txt'.* quote.*JSON"):
        read_class_names(tmp_path / "classes.txt")
