"""Asks a SavedModel of texts for answers in a process that has TensorFlow and nothing else.

A script: it reads one line of JSON, `directory` with `texts` (base64) and `needs`, and writes one
with what each signature answered. `needs` may name TensorFlow Text, which TensorFlow Serving has
built in.
"""

import base64
import importlib
import json
import sys
import types
from typing import Any


def main() -> None:
    """Answers one request."""
    # What is not on the machine that serves must not be needed.
    blocked: dict[str, Any] = dict.fromkeys(("keras", "tfxfer"))
    sys.modules.update(blocked)
    import tensorflow as tf  # while the other process still writes the model

    request = json.loads(sys.stdin.readline())
    if "tensorflow_text" in request["needs"]:
        # Its operations are what a server has, too; its layers would import Keras.
        layers = "tensorflow_text.python.keras"
        sys.modules[layers] = types.ModuleType(layers)
        importlib.import_module("tensorflow_text")
    signatures = tf.saved_model.load(request["directory"]).signatures
    serve = signatures["serving_default"]
    texts = [base64.b64decode(text) for text in request["texts"]]

    def plain(answer: dict[str, Any]) -> dict[str, Any]:
        rows = {name: value.numpy().tolist() for name, value in answer.items()}
        return {name: value for name, value in rows.items() if "label" not in name}

    answers = {
        "together": plain(serve(text=tf.constant(texts))),
        "again": plain(serve(text=tf.constant(texts))),
        "singly": [plain(serve(text=tf.constant([text]))) for text in texts],
        "features": plain(signatures["features"](text=tf.constant(texts))),
        "none": plain(serve(text=tf.constant([], tf.string))),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
