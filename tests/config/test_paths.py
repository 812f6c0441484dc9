import os
import pathlib
import pwd

import pytest

from tfxfer.config.paths import expand_user, home, listed_path, user_path
from tfxfer.errors import UsageError

ROOT = pwd.getpwuid(0)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def nobody(monkeypatch):
    """A user id that the system does not know, without HOME, as in a container."""

    def unknown(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("~", "{home}"),
        ("~/", "{home}/"),
        ("~/a b/~c", "{home}/a b/~c"),
        (f"~{ROOT.pw_name}", ROOT.pw_dir),
        (f"~{ROOT.pw_name}/a", f"{ROOT.pw_dir}/a"),
        ("a/~/b", "a/~/b"),
        ("./~/b", "./~/b"),
        ("", ""),
        ("~/photos?train=a", "{home}/photos?train=a"),
    ],
)
def test_a_tilde_in_front_is_a_home_directory(place, written, meant):
    assert expand_user(written) == meant.format(home=place / "home")


def test_what_is_called_so_comes_first(place):
    pathlib.Path("~").mkdir()
    pathlib.Path("~/a").touch()
    assert expand_user("~/a") == "~/a"
    assert user_path(pathlib.Path("~/a")) == pathlib.Path("~/a")
    assert expand_user("~/b") == f"{place}/home/b"


@pytest.mark.parametrize("written", ["~nobodyatall", "~nobodyatall/x"])
def test_a_user_who_is_not_there_is_named(written):
    with pytest.raises(UsageError, match="no user 'nobodyatall'") as caught:
        expand_user(written, "Setting 'runs_dir'")
    assert f"Setting 'runs_dir' is '{written}'" in str(caught.value)
    assert f"./{written}" in str(caught.value)


def test_without_a_home_directory_the_tilde_is_refused(nobody):
    assert home() is None
    with pytest.raises(UsageError, match="HOME is not set"):
        expand_user("~/x")


@pytest.mark.parametrize(("value", "found"), [("/", "/"), ("", None), ("relative", None)])
def test_a_home_directory_is_an_absolute_path(monkeypatch, value, found):
    monkeypatch.setenv("HOME", value)
    assert home() == (found and pathlib.Path(found))
    if found:
        assert expand_user("~/x") == "/x"


def test_a_path_in_a_list_is_one_that_is_not_there_at_the_worst(place):
    folder = place / "lists"
    (folder / "~").mkdir(parents=True)
    (folder / "~" / "1.jpg").touch()
    (folder / "~2.jpg").touch()
    assert listed_path("~/1.jpg", str(folder)) == f"{folder}/~/1.jpg"
    assert listed_path("~2.jpg", str(folder)) == f"{folder}/~2.jpg"
    assert listed_path("~/3.jpg", str(folder)) == f"{place}/home/3.jpg"
    assert listed_path("~nobodyatall/3.jpg", str(folder)) == f"{folder}/~nobodyatall/3.jpg"
    assert listed_path("a.jpg", str(folder)) == f"{folder}/a.jpg"
    assert listed_path("~/3.jpg") == os.path.expanduser("~/3.jpg")
