"""What the documents say is run: their programs, their commands, their files of settings."""

import ast
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

import pytest
import tensorflow as tf
from google.protobuf import text_format
from model_server import grpc_server
from tensorflow_serving.config import model_server_config_pb2

from tfxfer.config.schema import FitConfig
from tfxfer.exporting.clients import WARMUP_BATCH_SIZES, curl_with_file, grpc_snippet, how_to_try

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SERVING = (ROOT / "docs" / "serving.md").read_text("utf-8")
TRACKING = (ROOT / "docs" / "tracking.md").read_text("utf-8")


def programs(text, language):
    blocks = re.findall(r"^```(\w*)\n(.+?)^```", text, re.DOTALL | re.MULTILINE)
    return [content for kind, content in blocks if kind == language]


@pytest.fixture(scope="module")
def workplace(finished, pictures, tmp_path_factory):
    """A folder in which the names of the README are those of a finished run."""
    result, _ = finished
    folder = tmp_path_factory.mktemp("workplace")
    for name, path in {
        "runs/photos-mobilenetv2": result.run,
        "saved_models/photos-mobilenetv2": result.export.parent,
        "bee.jpg": pictures / "test" / "red" / "0.jpg",
        "ant.jpg": pictures / "test" / "blue" / "0.jpg",
        "photos": pictures,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(path)
    return folder


def run(program, folder):
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_programs_of_the_readme_run(workplace):
    load, keras, serve, fit = programs(README, "python")
    assert run(load, workplace).strip() in ("blue", "green", "red")
    zeros = "import numpy as np\nimages = np.zeros((2, 32, 32, 3))"
    run(keras.replace("images = ...", zeros) + "assert probabilities.shape == (2, 3)", workplace)
    assert re.match(r"\[b'(blue|green|red)'\] \[\[", run(serve, workplace))
    compile(fit, "README.md", "exec")  # which fits for minutes: `tests/test_training.py` does


def test_the_programs_that_follow_a_fit_call_it_as_it_is():
    # Of packages that are not installed: `tests/test_training.py` has a callback of its own.
    for program in programs(TRACKING, "python"):
        calls = [
            node
            for node in ast.walk(ast.parse(program))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tfxfer.fit"
        ]
        (call,) = calls
        names = {keyword.arg for keyword in call.keywords}
        assert names <= {"callbacks", *(field.name for field in dataclasses.fields(FitConfig))}


@pytest.mark.slow
def test_the_grpc_program_of_the_page_on_serving_runs(workplace):
    (program,) = programs(SERVING, "python")
    assert program == grpc_snippet("bees").replace("IMAGE", "bee.jpg")
    export = workplace / "saved_models" / "photos-mobilenetv2" / "1"
    with grpc_server(tf.saved_model.load(str(export)).signatures) as port:
        said = run(program.replace("localhost:8500", f"localhost:{port}"), workplace)
    assert re.match(r"\[b'(blue|green|red)'\] \[\[", said)


def test_the_commands_of_the_page_on_serving_are_those_that_are_printed():
    serve, ask = how_to_try(pathlib.Path("saved_models/bees/1"))
    assert serve.replace(f"{pathlib.Path.cwd()}/", '"$PWD/').replace(":ro", ':ro"') in SERVING
    assert ask in SERVING
    assert curl_with_file("bee.jpg", "bees") in SERVING


def test_the_files_of_settings_are_those_of_the_server():
    models, batching = programs(SERVING, "")
    config = text_format.Parse(models, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("bees", "/models/bees")
    assert set(model.version_labels.values()) <= set(model.model_version_policy.specific.versions)
    sizes = tuple(map(int, re.findall(r"allowed_batch_sizes: (\d+)", batching)))
    assert sizes == WARMUP_BATCH_SIZES
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in batching
