"""A Space and a container, written from an export."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from command_line import run
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfxfer.api.predict import predict
from tfxfer.exporting.hosting.container import image_tag
from tfxfer.exporting.hosting.writing import write_hosted


def not_needed(*_, **__):
    raise AssertionError("an export is copied")


@pytest.fixture(scope="module")
def written(finished, tmp_path_factory):
    """The folders of a Space and of a container, and what was said."""
    folder, said = tmp_path_factory.mktemp("hosted"), []
    to = {"space": folder / "space", "docker": folder / "docker"}
    write_hosted(finished[0].export.parent, not_needed, said.append, **to)
    return to["space"], to["docker"], said


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


def test_a_container_has_the_configuration_of_the_server(written, finished):
    _, docker, _ = written
    name, version = finished[0].export.parent.name, finished[0].export.name
    text = (docker / "models.config").read_text()
    parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (config,) = parsed.model_config_list.config
    assert (config.name, config.base_path) == (name, f"/models/{name}")
    assert (docker / "models" / name / version / "saved_model.pb").is_file()
    assert json.loads((docker / "request.json").read_text())["instances"]
    copied = [
        line.split()[1:-1]
        for line in (docker / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY")
    ]
    assert all((docker / path).exists() for paths in copied for path in paths)
    assert ":predict" in (docker / "README.md").read_text()


def test_tags_of_containers_are_allowed():
    assert image_tag("Bees & Ants_2") == "bees-ants-2"
    assert image_tag("äö") == "model"


@pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed")
@pytest.mark.slow
def test_the_app_of_a_space_answers_as_predict_does(written, finished, paths, tmp_path):
    space, *_ = written
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    code = (
        "import json, pathlib, sys\n"
        "import app\n"
        "print(json.dumps(app.answer(sys.argv[1])))\n"
        "try:\n    app.classify(pathlib.Path(sys.argv[2]).read_bytes())\n"
        "except ValueError as error:\n    print(error)\n"
        "assert 'tfxfer' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, paths[0], str(bad)],
        cwd=space,
        env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"},
        capture_output=True,
        text=True,
        check=True,
    )
    answer, refusal = done.stdout.splitlines()
    (expected,) = predict(finished[0].run, [paths[0]])
    found = json.loads(answer)
    for name, probability in expected.ranked:
        assert found[name] == pytest.approx(probability, abs=1e-5)
    assert refusal.startswith("This image cannot be read: ")
    assert "\n" not in refusal


def test_a_run_is_exported_first(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("demo", finished[0].run, "--space", "space")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "space" / "model" / "assets" / "labels.txt").is_file()
    assert "model-index" not in (tmp_path / "space" / "README.md").read_text()
    again = run("demo", finished[0].run, "--space", "space")
    assert again.exit_code == 2
    assert "--space" in again.stderr
    assert again.stderr.count("\n") == 1


def test_bad_folders_are_refused_before_the_export(finished, tmp_path):
    done = run("demo", finished[0].run, "--space", tmp_path / "a", "--docker", tmp_path / "a")
    assert done.exit_code == 2
    assert "same folder" in done.stderr
    done = run("demo", tmp_path / "none", "--docker", tmp_path / "a")
    assert done.exit_code == 2
    assert not list(tmp_path.iterdir())
