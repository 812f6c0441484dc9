"""The folder of a container."""

import json

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfxfer.exporting.hosting.container import image_tag


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
