import json
import zipfile

import pytest
from made_texts import write_manifest

from tfxfer.text.recognition import holds_texts, takes_texts


def test_folders_and_manifests_of_texts_are_recognized(reviews, tmp_path):
    assert holds_texts(str(reviews))
    assert holds_texts(str(reviews / "train"))
    assert holds_texts(str(write_manifest(tmp_path / "a.jsonl")))
    for name, content in (("a.csv", "text,label\nx,a\n"), ("b.csv", 'label;"Text"\na;x\n')):
        (tmp_path / name).write_text(content)
        assert holds_texts(str(tmp_path / name))


def test_images_are_not_texts(pictures, tmp_path):
    assert not holds_texts(str(pictures))
    assert not holds_texts("digits")
    assert not holds_texts("")
    assert not holds_texts("a\0b")
    assert not holds_texts("x" * 5000)
    (tmp_path / "a.csv").write_text("path,label\nx.jpg,a\n")
    (tmp_path / "b.csv").write_text("path,text,label\nx.jpg,a,b\n")
    (tmp_path / "c.jsonl").write_text('{"image": "x.jpg", "text": "a"}\n')
    for name in "a.csv", "b.csv", "c.jsonl":
        assert not holds_texts(str(tmp_path / name))


def test_texts_beside_images_do_not_make_them_texts(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("1.jpg", "2.jpg", "labels.txt"):
        (tmp_path / "a" / name).write_bytes(b"x")
    assert not holds_texts(str(tmp_path))


def test_models_are_recognized_by_what_they_say(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_text('backbone = "lstm"\n')
    assert takes_texts(run)
    (run / "config.toml").write_text('backbone = "resnet50"\n')
    assert not takes_texts(run)
    assert not takes_texts(tmp_path / "none")
    for version, modality in (("2", "text"), ("10", "images")):
        assets = tmp_path / "export" / version / "assets"
        assets.mkdir(parents=True)
        (assets / "tfxfer.json").write_text(json.dumps({"modality": modality}))
    assert takes_texts(tmp_path / "export" / "2")
    assert not takes_texts(tmp_path / "export")  # the newest is of images


@pytest.mark.parametrize("dtype", ["string", "float32"])
def test_a_keras_file_is_recognized_by_its_input(tmp_path, dtype):
    path = tmp_path / "model.keras"
    layers = [{"class_name": "InputLayer", "config": {"dtype": dtype}}]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
    assert takes_texts(path) == (dtype == "string")
    path.write_bytes(b"PK\x03\x04")
    assert not takes_texts(path)
