"""Publishes a classifier of texts as a SavedModel, whose graph is verified before."""

import contextlib
import datetime
import json
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxfer.errors import ExportError
from tfxfer.exporting.clients import write_requests
from tfxfer.exporting.gate import (
    check_accuracy,
    check_operations,
    check_precision,
    check_probabilities,
    check_repeated,
    compare,
    compare_features,
    refused,
)
from tfxfer.exporting.served_graph import ServedGraph
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.runs.versions import new_version, publish_version
from tfxfer.system.run_layout import exported_seen_file, seen_file
from tfxfer.text.data.encoding import encoded
from tfxfer.text.models.classifier import features_model
from tfxfer.text.models.vocabulary import VECTORIZER
from tfxfer.text.models.weights import is_word_piece
from tfxfer.text.recognition import MODALITY
from tfxfer.text.serving.loading import TrainedTexts
from tfxfer.text.serving.signatures import CONTRACT, INPUT, write_text_model
from tfxfer.version import __version__

# Texts on which an export is compared with the model before it is published, besides hostile ones.
CHECK_TEXTS = 8

# Texts that are not like those of the training: every export must answer them as the model does.
HOSTILE = (
    b"",
    b" \t\r\n ",
    "\N{PILE OF POO}\N{ZERO WIDTH JOINER}\N{SMILING FACE WITH SUNGLASSES}!".encode(),
    b"nul\0in a word \0",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{HEBREW LETTER ALEF}\N{ARABIC LETTER ALEF} right to left".encode(),
    b"not UTF-8: caf\xe9 \xff\xfe \xc3",
    b"<br /><br/><BR>",
    b"long " * 200_000,
)


# How texts are split, for the facts.
_WORDS = "ASCII letters in lower case, ASCII punctuation deleted, split at white space; words"
_WORD_PIECE = (
    "WordPiece of the pretrained encoder, between a token for the start and one for the end; tokens"
)


def export_text_model(
    trained: TrainedTexts,
    directory: pathlib.Path,
    texts: Sequence[str],
    metrics: FitMetrics,
    min_accuracy: float = 0.0,
) -> pathlib.Path:
    """Returns the new version directory of a SavedModel that TensorFlow Serving loads.

    The version is written to a temporary directory, its graph is run on real and on hostile texts
    and compared with the model, and only then it is renamed to the next free integer.

    Args:
        trained: The model.
        directory: Directory of the versions of this model.
        texts: Texts for verification and warm-up, at least one.
        metrics: Scores of the model; the accuracy is checked, all are written to the facts.
        min_accuracy: Minimum accuracy for publication, in [0, 1].

    Raises:
        ExportError: The export cannot be written, differs from the model, or the model is not
            accurate enough.
    """
    check_accuracy(metrics, min_accuracy, trained.path)
    examples = [encoded(text) for text in texts[:CHECK_TEXTS]]
    smallest = min(texts, key=len).encode("utf-8", "replace").decode()
    body = json.dumps({"instances": [smallest]}, ensure_ascii=False)
    facts = _facts(trained, directory.name, metrics)
    with _naming(directory), new_version(directory) as temporary:
        write_text_model(trained.model, trained.class_names, facts, temporary)
        write_requests(temporary, directory.name, examples, INPUT, body)
        if seen_file(trained.path).is_file():
            shutil.copyfile(seen_file(trained.path), exported_seen_file(temporary))
        _verify(temporary, trained.model, [*examples, *HOSTILE])
        return publish_version(temporary, directory)


def _verify(directory: pathlib.Path, model: keras.Model, texts: Sequence[bytes]) -> None:
    """Raises an ExportError unless a SavedModel predicts what the model predicts.

    Its graph runs all texts in one batch, twice, each text alone, no text at all, and the features.
    """
    check_precision(directory)
    if not _needs(model):  # TensorFlow Serving has TensorFlow Text built in
        check_operations(directory)
    # On a GPU float32 may be multiplied in fewer bits; the answers come from a CPU.
    with keras.device("cpu:0"):
        found = features_model(model)(tf.constant(list(texts)), training=False)
    expected, features = (np.asarray(found[name]) for name in ("probabilities", "features"))
    check_probabilities(expected)
    with contextlib.closing(ServedGraph(directory)) as served:
        together, again = (served.answer("serving_default", list(texts)) for _ in range(2))
        check_repeated(together, again)
        singly = served.answer_singly("serving_default", texts)
        compare("all texts in one batch", together, expected)
        compare("one text at a time", singly, expected)
        compare_features(served.answer("features", list(texts))["features"], features)
        if len(served.answer("serving_default", [])["probabilities"]):
            raise refused("an empty batch did not get an empty answer")


@contextlib.contextmanager
def _naming(directory: pathlib.Path) -> Iterator[None]:
    """Makes an ExportError that names the place of whatever keeps an export from being written."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = (str(getattr(error, "strerror", None) or error).splitlines() or [""])[0]
        raise ExportError(f"Cannot write the export to '{directory}': {reason}.") from error


def _needs(model: keras.Model) -> list[str]:
    """Returns what must be imported, besides TensorFlow, before the export of a model is loaded."""
    return ["tensorflow_text"] if is_word_piece(model.get_layer(VECTORIZER)) else []


def _facts(trained: TrainedTexts, name: str, metrics: FitMetrics) -> dict[str, Any]:
    """Returns the facts about the model that the SavedModel bundles."""
    facts: dict[str, Any] = {
        "name": name,
        "modality": MODALITY,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "tfxfer": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }
    if trained.config:
        facts["backbone"] = {"name": trained.config.backbone, "weights": trained.config.weights}
    told = metrics.as_json()
    scores = ("data", "calibration", "baseline", "validation", "test", "all")
    facts |= {key: told[key] for key in scores if key in told}
    needs = _needs(trained.model)
    return facts | {
        "needs": needs,
        "num_classes": len(trained.class_names),
        "max_words": trained.max_words,
        "text": f"{_WORD_PIECE if needs else _WORDS} beyond max_words are not read; all inside the "
        "model",
        "signatures": CONTRACT,
    }
