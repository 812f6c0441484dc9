import unicodedata

import pytest

from tfxfer.errors import UsageError
from tfxfer.system.names import check_name, in_shell, in_url, safe_name

REFUSED = [
    *("../outside", "/tmp/outside", ".", "..", "a/b", "a\\b", "", "-x", ".hidden", "my model"),
    *("it's", 'a"b', "a\nb", "a\n", "a\t", "\x7f", "a:b", "a?b", "a%20b", "a\udcffb", "\u0301a"),
    *("$(id)", "a;b", "*", "x" * 129, "я" * 65),
]
ALLOWED = ["colors", "v1.2", "2024", "_a-b", "größe", "猫", "x" * 128, "cafe\u0301"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_is_not_plain_is_refused_with_what_is_allowed(name):
    with pytest.raises(UsageError, match=r"letters, digits, '-', '_' and '\.'") as caught:
        check_name(name, "name", "--export-dir")
    assert "Setting 'name' is " in str(caught.value)
    assert "--export-dir" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ALLOWED)
def test_a_plain_name_of_any_script_is_allowed(name):
    check_name(name, "run", "--runs-dir")


@pytest.mark.parametrize("name", [*REFUSED, *ALLOWED])
def test_every_text_has_a_safe_name(name):
    safe = safe_name(name)
    check_name(f"{safe}-resnet50-pretrain-2", "run", "--runs-dir")
    check_name(safe, "run", "--runs-dir")
    assert safe_name(safe) == safe


def test_a_safe_name_is_near_to_the_text():
    assert safe_name("my photos") == "my-photos"
    assert safe_name("data{1}") == "data-1"
    assert safe_name(unicodedata.normalize("NFD", "größe")) == "größe"
    assert safe_name("...", "model") == "model"


def test_names_and_paths_are_quoted_where_they_are_printed():
    assert in_url("猫 a/b") == "%E7%8C%AB%20a%2Fb"
    assert in_url("colors-1.2_a") == "colors-1.2_a"
    assert in_shell("runs/a") == "runs/a"
    assert in_shell("-runs/it's") == "'./-runs/it'\"'\"'s'"
