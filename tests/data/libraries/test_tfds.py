"""How TFDS datasets are found and prepared, whatever they hold."""

from tfxfer.data.libraries.tfds import is_prepared_directory, unreachable_host


def test_names_that_do_not_resolve_are_unreachable():
    assert unreachable_host(["https://nowhere.invalid/a.zip"]) == "nowhere.invalid"
    assert unreachable_host(["https://nowhere.invalid/a.zip", "http://localhost/b"]) is None
    assert unreachable_host([]) is None


def test_behind_a_proxy_the_proxy_resolves_names(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    assert unreachable_host(["https://nowhere.invalid/a.zip"]) is None


def test_a_prepared_version_is_recognized_by_its_files(tmp_path):
    (tmp_path / "dataset_info.json").touch()
    assert not is_prepared_directory(tmp_path)
    (tmp_path / "features.json").touch()
    assert is_prepared_directory(tmp_path)
