"""Asks a SavedModel for answers in a process that has TensorFlow and nothing else.

A script: it reads one line of JSON, `directory` with `images` (base64 of files) and `pixels` (of
uint8 RGB, `data` in base64 with its `shape`), and writes one with what each signature answered.
"""

import base64
import json
import sys
from typing import Any


def decoded(value: Any) -> Any:
    """Returns a value, or nested lists of values, with bytes as text."""
    if isinstance(value, list):
        return [decoded(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


def main() -> None:
    """Answers one request."""
    # What is not on the machine that serves must not be needed.
    blocked: dict[str, Any] = dict.fromkeys(("keras", "tfxfer"))
    sys.modules.update(blocked)
    import tensorflow as tf  # while the other process still writes the model

    request = json.loads(sys.stdin.readline())
    signatures = tf.saved_model.load(request["directory"]).signatures
    serve = signatures["serving_default"]
    images = [base64.b64decode(image) for image in request["images"]]
    pixels = tf.reshape(
        tf.io.decode_raw(base64.b64decode(request["pixels"]["data"]), tf.uint8),
        [1, *request["pixels"]["shape"]],
    )

    def plain(answer: dict[str, Any]) -> dict[str, Any]:
        # tf.constant of text is bytes, which JSON does not have.
        return {
            name: decoded(value.numpy().tolist())
            for name, value in answer.items()
            if name != "top_k_labels"
        }

    answers: dict[str, Any] = {
        "together": plain(serve(image_bytes=tf.constant(images))),
        "again": plain(serve(image_bytes=tf.constant(images))),
        "singly": [plain(serve(image_bytes=tf.constant([image]))) for image in images],
    }
    # The others call the same functions: to optimize their graphs, too, takes as long as all else.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    answers["pixels"] = plain(signatures["pixels"](pixels=pixels))
    if "features" in signatures:
        features = signatures["features"](image_bytes=tf.constant(images))
        answers["features"] = plain(features)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
