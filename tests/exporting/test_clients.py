import csv
import json
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from model_server import answer_grpc, answer_rest, grpc_server, rest_server
from tensorflow_serving.apis import prediction_log_pb2

from tfxfer.exporting.clients import (
    WARMUP_BATCH_SIZES,
    curl_with_file,
    grpc_snippet,
    how_to_serve,
    how_to_try,
    predict_request,
    rest_body,
)


@pytest.fixture(scope="module")
def export(finished):
    result, _ = finished
    return result.export


@pytest.fixture(scope="module")
def expected(signatures, paths):
    files = [path.read_bytes() for path in paths]
    return signatures["serving_default"](image_bytes=tf.constant(files))


def test_a_grpc_request_gets_the_answer_of_the_signature(signatures, paths, expected):
    request = predict_request("colors", [path.read_bytes() for path in paths])
    assert request.model_spec.name == "colors"
    received = type(request).FromString(request.SerializeToString())
    answer = answer_grpc(signatures, received)
    assert set(answer.outputs) == set(expected)
    for name, value in expected.items():
        assert np.array_equal(tf.make_ndarray(answer.outputs[name]), value.numpy())


def test_a_rest_request_gets_the_answer_of_the_signature(signatures, paths, expected):
    answer = answer_rest(signatures, json.loads(rest_body([path.read_bytes() for path in paths])))
    rows = answer["predictions"]
    assert [row["label"].encode() for row in rows] == expected["label"].numpy().tolist()
    assert [row["probabilities"] for row in rows] == expected["probabilities"].numpy().tolist()
    assert [row["top_k_labels"][0] for row in rows] == [row["label"] for row in rows]


def test_the_warm_up_runs_the_batch_sizes_of_a_server(export, signatures):
    path = export / "assets.extra" / "tf_serving_warmup_requests"
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    sizes = []
    for record in records:
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        assert log.predict_log.request.model_spec.name == "colors"
        answer = answer_grpc(signatures, log.predict_log.request)
        sizes.append(answer.outputs["probabilities"].tensor_shape.dim[0].size)
    assert tuple(sizes) == WARMUP_BATCH_SIZES


def test_a_rest_body_with_a_real_image_comes_along(export, signatures):
    body = json.loads((export / "assets.extra" / "request.json").read_text())
    (row,) = answer_rest(signatures, body)["predictions"]
    assert row["label"] in ("blue", "green", "red")
    assert sum(row["probabilities"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_printed_curl_commands_are_right(export, signatures, paths, expected):
    _, ask = how_to_try(export)
    with rest_server(signatures, "colors") as port:
        for command in (ask, curl_with_file(str(paths[0]), "colors")):
            local = command.replace("localhost:8501", f"localhost:{port}")
            done = subprocess.run(local, shell=True, capture_output=True, check=True)
            (row,) = json.loads(done.stdout)["predictions"]
            assert set(row) == set(expected)
    assert row["label"].encode() == expected["label"].numpy()[0]
    assert row["probabilities"] == pytest.approx(expected["probabilities"].numpy()[0], abs=1e-6)


@pytest.mark.slow
def test_the_printed_grpc_program_is_right(signatures, paths, expected):
    program = grpc_snippet("colors").replace("IMAGE", str(paths[0]))
    with grpc_server(signatures) as port:
        program = program.replace("localhost:8500", f"localhost:{port}")
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
    assert done.stdout.startswith(f"[b'{expected['label'].numpy()[0].decode()}'] [[")


def test_the_printed_grpc_program_names_the_input_of_the_model(signatures):
    (taken,) = signatures["serving_default"].structured_input_signature[1]
    assert f'request.inputs["{taken}"]' in grpc_snippet("colors")


def test_the_docker_line_mounts_the_versions_where_the_server_looks(export):
    serve, _ = how_to_try(export)
    assert f"-v {export.parent.resolve()}:/models/colors:ro -e MODEL_NAME=colors" in serve
    text = how_to_serve(export)
    assert serve in text
    assert grpc_snippet("colors") in text
    compile(grpc_snippet("colors"), "snippet", "exec")


def test_commands_for_places_of_any_name_are_quoted(tmp_path):
    version = tmp_path / 'it\'s a "place"' / "猫" / "3"
    serve, ask = how_to_try(version)
    words = shlex.split(serve)
    assert f"{version.parent}:/models/猫:ro" in words
    assert "MODEL_NAME=猫" in words
    assert shlex.split(ask) == [
        *("curl", "-d", f"@{version}/assets.extra/request.json"),
        "http://localhost:8501/v1/models/%E7%8C%AB:predict",
    ]
    compile(grpc_snippet('a"b'), "snippet", "exec")
    assert curl_with_file("-a b.jpg", "m").count("< './-a b.jpg' |") == 1


def test_a_place_with_a_colon_is_mounted_whole(tmp_path):
    serve, _ = how_to_try(tmp_path / 'a:b,"c"' / "m" / "1")
    words = shlex.split(serve)
    (fields,) = csv.reader([words[words.index("--mount") + 1]])
    assert fields == [
        *("type=bind", f'source={tmp_path}/a:b,"c"/m', "target=/models/m", "readonly"),
    ]
