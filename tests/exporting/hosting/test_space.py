"""The folder of a Space."""

import json
import shutil

from tfxfer.exporting.hosting import space as spaces


def test_a_space_has_what_it_needs_and_no_images(written):
    space, _, said = written
    lines = (space / "requirements.txt").read_text().splitlines()
    assert [line.partition(">")[0].partition("=")[0] for line in lines] == [
        "tensorflow-cpu",
        "gradio",
    ]
    assert 'app_file: "app.py"' in (space / "README.md").read_text()
    assert (space / "model" / "saved_model.pb").is_file()
    assert not list(space.rglob("*request*"))
    assert "tfxfer" not in (space / "app.py").read_text().replace("tfxfer.json", "")
    assert str(space / "app.py") in said[0]


def test_the_metadata_of_a_model_card_become_those_of_a_space(finished, tmp_path):
    card = '---\nlicense: "mit"\nmodel-index: []\n---\n\n# Bees\n\nWhat it is.\n'
    spaces.write_space(finished[0].export, tmp_path / "space", card)
    _, block, text = (tmp_path / "space" / "README.md").read_text().split("---\n")
    keys = {line.partition(":")[0] for line in block.splitlines()}
    assert {"title", "sdk", "app_file", "license"} <= keys
    assert "model-index" not in keys
    assert text.strip() == "# Bees\n\nWhat it is."


def test_a_model_that_needs_tensorflow_text_brings_it(finished, tmp_path):
    version = shutil.copytree(finished[0].export, tmp_path / "texts" / "1")
    path = version / "assets" / "tfxfer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"needs": ["tensorflow_text"]}))
    spaces.write_space(version, tmp_path / "space")
    first, *_ = (tmp_path / "space" / "requirements.txt").read_text().splitlines()
    assert first.startswith("tensorflow-text==2.")
    assert spaces.needed_packages(version) == ["tensorflow_text"]
    assert spaces.needed_packages(finished[0].export) == []
