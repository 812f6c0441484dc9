"""JSON files of others, and the license in a README.md."""

import pytest

from tfxfer.errors import UsageError
from tfxfer.models.foreign.tables import read_json, read_license


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a JSON file"),
        (b"{", "not a JSON file"),
        (b"\xff\xfe{}", "not a JSON file"),
        (b"[" * 100_000, "not a JSON file"),
        (b"[]", "no table"),
        (b" " * 1_000_001, "larger than 1 MB"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, content, reason):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_json(path)
    path.unlink()
    with pytest.raises(UsageError, match="No such file"):
        read_json(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlibrary_name: keras-hub\nlicense: apache-2.0\n---\n", "apache-2.0"),
        ('---\nlicense: "mit"\ntags: []\n---\n', "mit"),
        ("---\nlibrary_name: keras-hub\n---\nlicense: mit\n", None),
        ("license: mit\n", None),
        ("", None),
    ],
)
def test_the_license_is_that_of_the_front_matter(tmp_path, text, expected):
    (tmp_path / "README.md").write_text(text)
    assert read_license(tmp_path) == expected


def test_without_a_card_there_is_no_license(tmp_path):
    assert read_license(tmp_path) is None
