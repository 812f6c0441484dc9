"""The SavedModel that is served: texts in, named classes or features out."""

import json
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfxfer.system.names import class_lines
from tfxfer.system.run_layout import FACTS_FILE, LABELS_FILE
from tfxfer.text.models.classifier import features_model
from tfxfer.text.models.vocabulary import TOKENS, VECTORIZER

# How many of the most probable classes an answer names.
TOP_CLASSES = 5

INPUT = "text"

# What each signature takes and gives, as `FACTS_FILE` says it.
CONTRACT = {
    "serving_default": {
        INPUT: "string (batch,): texts in UTF-8 of any length",
        "gives": f"probabilities, class_id, label, and of the {TOP_CLASSES} most probable classes "
        "top_k_probabilities, top_k_class_ids, top_k_labels",
    },
    "features": {
        INPUT: "same as serving_default",
        "gives": "features (batch, num_features): the input of the head",
    },
}


def write_text_model(
    model: keras.Model,
    class_names: tuple[str, ...],
    facts: Mapping[str, Any],
    directory: pathlib.Path,
) -> None:
    """Writes the SavedModel of a classifier of texts.

    `serving_default` takes `text`, a batch of strings, and gives `probabilities`,
    (batch, num_classes), `class_id` and `label`, (batch,), and of the k most probable classes, best
    first, `top_k_probabilities`, `top_k_class_ids` and `top_k_labels`, (batch, k); k is 5, or the
    number of classes where there are fewer. `features` gives `features`, (batch, num_features).

    Bytes that are not UTF-8 are allowed: a word with such a byte is an unknown word.

    Args:
        model: Texts to probabilities, as `TextClassifier.with_probabilities` returns it.
        class_names: In the order of the model's outputs.
        facts: What the file `assets/tfxfer.json` tells of the model, as JSON can write it.
        directory: An empty directory.
    """
    served = tf.Module()
    served.model_variables = [variable.value for variable in model.variables]
    served.words = model.get_layer(VECTORIZER).get_layer(TOKENS)  # with its table
    signatures = _signatures(model, class_names)
    with tempfile.TemporaryDirectory() as folder:
        # An asset keeps its file's name.
        names, told = pathlib.Path(folder, LABELS_FILE), pathlib.Path(folder, FACTS_FILE)
        names.write_text(class_lines(class_names), "utf-8")
        told.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
        served.assets = [tf.saved_model.Asset(str(names)), tf.saved_model.Asset(str(told))]
        tf.saved_model.save(served, str(directory), signatures)


def _signatures(model: keras.Model, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the signatures by name."""
    labels = tf.constant(class_names)
    whole = features_model(model)
    text = tf.TensorSpec((None,), tf.string, name=INPUT)

    def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
        # Networks may fail on no texts at all: then one is given, and nothing of it returned.
        count = tf.shape(text)[0]
        found = whole(tf.cond(count > 0, lambda: text, lambda: tf.constant([""])), training=False)
        return {name: value[:count] for name, value in found.items()}

    # Traced once, and saved once for both signatures.
    answered = tf.function(answer, [text])

    def serve(text: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = answered(text)["probabilities"]
        top, ids = tf.math.top_k(probabilities, min(TOP_CLASSES, len(class_names)))
        class_id = tf.argmax(probabilities, axis=1)
        return {
            "probabilities": probabilities,
            "class_id": class_id,
            "label": tf.gather(labels, class_id),
            "top_k_probabilities": top,
            "top_k_class_ids": tf.cast(ids, tf.int64),
            "top_k_labels": tf.gather(labels, ids),
        }

    return {
        "serving_default": tf.function(serve, [text]),
        "features": tf.function(lambda text: {"features": answered(text)["features"]}, [text]),
    }
