"""Requests to a model server: warm-up requests, a REST body, and commands that send them."""

import base64
import json
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfxfer.system.names import in_shell, in_url
from tfxfer.system.run_layout import EXTRA_FOLDER, FACTS_FILE

# The batches that a server with `allowed_batch_sizes: 1, 2, 4, ... 32` runs; see docs/serving.md.
WARMUP_BATCH_SIZES = (1, 2, 4, 8, 16, 32)

REST_BODY = "request.json"


def predict_request(
    name: str, encoded_images: Sequence[bytes], input_name: str = "image_bytes"
) -> predict_pb2.PredictRequest:
    """Returns what a client of TensorFlow Serving sends by gRPC for a batch of image files.

    Args:
        name: Of the model on the server.
        encoded_images: Image files, or what else the model takes.
        input_name: Of the input of `serving_default`.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = "serving_default"
    images = tf.make_tensor_proto(list(encoded_images), tf.string, [len(encoded_images)])
    request.inputs[input_name].CopyFrom(images)
    return request


def rest_body(encoded_images: Sequence[bytes]) -> str:
    """Returns what a client of TensorFlow Serving posts for a batch of image files, as JSON."""
    images = [{"b64": base64.b64encode(encoded).decode("ascii")} for encoded in encoded_images]
    return json.dumps({"instances": images})


def write_requests(
    directory: pathlib.Path,
    name: str,
    encoded_images: Sequence[bytes],
    input_name: str = "image_bytes",
    body: str | None = None,
) -> None:
    """Writes the requests that are bundled with an export, into its `assets.extra`.

    `tf_serving_warmup_requests` is what TensorFlow Serving runs before it serves a version, so that
    no user waits for the first run of a batch size. `request.json` is a REST body to try a server
    with; it holds the smallest of the images.

    Args:
        directory: Of the SavedModel.
        name: Of the model on the server.
        encoded_images: Real image files, or what else the model takes, at least one; repeated
            where a batch needs more.
        input_name: Of the input of `serving_default`.
        body: The REST body; None has the smallest image.
    """
    folder = directory / EXTRA_FOLDER
    folder.mkdir()
    smallest = min(encoded_images, key=len)
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as records:
        for size in WARMUP_BATCH_SIZES:
            batch = [encoded_images[number % len(encoded_images)] for number in range(size)]
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(predict_request(name, batch, input_name))
            records.write(log.SerializeToString())
    text = rest_body([smallest]) if body is None else body
    (folder / REST_BODY).write_text(text + "\n", "utf-8")


def how_to_try(version: pathlib.Path) -> tuple[str, str]:
    """Returns the command that serves an export, and one that sends it an image.

    Args:
        version: The directory of the version, in the directory of the model's versions.
    """
    name = version.absolute().parent.name
    body = shlex.quote(f"@{version / EXTRA_FOLDER / REST_BODY}")
    return (
        f"docker run --rm -p 8500:8500 -p 8501:8501 {_mounted(version.parent.resolve(), name)} "
        f"-e {shlex.quote(f'MODEL_NAME={name}')} tensorflow/serving",
        f"curl -d {body} {rest_url(name)}",
    )


def how_to_serve(version: pathlib.Path) -> str:
    """Returns commands that serve an export and send it requests, as text to copy.

    Args:
        version: As for `how_to_try`.
    """
    serve, ask = how_to_try(version)
    name = version.absolute().parent.name
    facts = facts_of(version)
    texts = facts.get("modality") == "text"
    if texts:
        bundled, own = "a bundled validation text, and one of your own", curl_with_text(name)
    else:
        bundled = "a bundled validation image, and a file of your own"
        own = curl_with_file("IMAGE", name)
    return f"""\
Serve the model, REST on port 8501 and gRPC on port 8500:

  {serve}

Classify {bundled}:

  {ask}
  {own}

Classify from Python over gRPC (pip install tensorflow-serving-api):

{grpc_snippet(name, _outputs(facts), texts=texts)}"""


def curl_with_file(path: str, name: str) -> str:
    """Returns a shell command that sends an image file to a model server."""
    image = in_shell(path)
    body = (
        f'printf \'{{"instances": [{{"b64": "\'; '
        f"base64 < {image} | tr -d '\\n'; printf '\"}}]}}'"
    )
    return f"({body}) | curl -d @- {rest_url(name)}"


def curl_with_text(name: str) -> str:
    """Returns a shell command that sends a text to a model server."""
    return f'curl -d \'{{"instances": ["TEXT"]}}\' {rest_url(name)}'


def _mounted(versions: pathlib.Path, name: str) -> str:
    """Returns the Docker option that mounts the versions where the server looks for them."""
    if ":" not in str(versions):
        return f"-v {shlex.quote(f'{versions}:/models/{name}:ro')}"
    # -v has colons between its parts, --mount commas: a part that has one is quoted as in CSV.
    quoted = [part.replace('"', '""') for part in (f"source={versions}", f"target=/models/{name}")]
    parts = ["type=bind", *(f'"{part}"' for part in quoted), "readonly"]
    return f"--mount {shlex.quote(','.join(parts))}"


def rest_url(name: str) -> str:
    """Returns the address at which a model server answers by REST."""
    return f"http://localhost:8501/v1/models/{in_url(name)}:predict"


def facts_of(version: pathlib.Path) -> dict[str, Any]:
    """Returns the facts about a model in its export, or none if they cannot be read."""
    try:
        facts = json.loads((version / "assets" / FACTS_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _outputs(facts: dict[str, Any]) -> tuple[str, ...]:
    """Returns the outputs of a model that are worth printing."""
    if "target" in facts:
        return ("value",)
    label = "labels" if "thresholds" in facts else "label"
    if "tasks" in facts:
        label = f"{next(iter(facts['tasks']))}_label"
    return (label, "probabilities")


def grpc_snippet(
    name: str, outputs: Sequence[str] = ("label", "probabilities"), *, texts: bool = False
) -> str:
    """Returns a Python program that sends an image file, or a text, to a model server.

    Args:
        name: Of the model on the server.
        outputs: The outputs that are printed.
        texts: Whether the model takes texts.
    """
    printed = ", ".join(f'tf.make_ndarray(outputs["{one}"])' for one in outputs)
    taken, examples = "image_bytes", '[open("IMAGE", "rb").read()]'
    if texts:
        taken, examples = "text", '["TEXT"]'
    return f"""\
import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

request = predict_pb2.PredictRequest()
request.model_spec.name = {json.dumps(name, ensure_ascii=False)}
examples = {examples}
request.inputs["{taken}"].CopyFrom(tf.make_tensor_proto(examples))
channel = grpc.insecure_channel("localhost:8500")
server = prediction_service_pb2_grpc.PredictionServiceStub(channel)
outputs = server.Predict(request, timeout=10).outputs
print({printed})
"""
