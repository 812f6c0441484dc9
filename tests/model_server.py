"""A stand-in for TensorFlow Serving with a SavedModel: its gRPC service and REST rules.

There is no model server to be had from PyPI, Debian or npm. The rules of REST are those of
https://www.tensorflow.org/tfx/serving/api_rest, the messages and the service are the official ones.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import threading

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def answer_grpc(signatures, request):
    """Returns the PredictResponse to a PredictRequest."""
    signature = signatures[request.model_spec.signature_name or "serving_default"]
    inputs = {name: tf.constant(tf.make_ndarray(x)) for name, x in request.inputs.items()}
    response = predict_pb2.PredictResponse()
    for name, value in signature(**inputs).items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    return response


def answer_rest(signatures, body):
    """Returns the JSON that answers a JSON body in row format."""
    signature = signatures[body.get("signature_name", "serving_default")]
    _, inputs = signature.structured_input_signature
    ((name, spec),) = inputs.items()
    rows = [
        decoded(row[name] if isinstance(row, dict) and name in row else row)
        for row in body["instances"]
    ]
    answer = signature(**{name: tf.constant(rows, spec.dtype)})
    columns = {key: value.numpy().tolist() for key, value in answer.items()}
    return {
        "predictions": [
            {key: as_json(column[number]) for key, column in columns.items()}
            for number in range(len(rows))
        ]
    }


def decoded(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def as_json(value):
    # Strings are text unless the name of the output ends with _bytes.
    if isinstance(value, list):
        return [as_json(part) for part in value]
    return value.decode() if isinstance(value, bytes) else value


@contextlib.contextmanager
def grpc_server(signatures):
    """Yields the port of a gRPC server with `Predict`."""

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802, the name is the service's
            return answer_grpc(signatures, request)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextlib.contextmanager
def rest_server(signatures, name):
    """Yields the port of a server for POST requests to the model's address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == f"/v1/models/{name}:predict"
            self.send_response(200 if known else 404)
            self.end_headers()
            if known:
                self.wfile.write(json.dumps(answer_rest(signatures, body)).encode())

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
