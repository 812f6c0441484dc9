"""Loading the file of a model of texts, whose tokenizer may be one of KerasHub."""

import pathlib
import zipfile

import keras

from tfxfer.text.models.encoders.tokenizer import import_kerashub, keep_in_graph
from tfxfer.text.models.vocabulary import VECTORIZER

_MARK = b"keras_hub"


def load_text_model(path: pathlib.Path) -> keras.Model:
    """Returns the model in a `.keras` file that `fit` or `pretrain` saved.

    Raises:
        UsageError: Its tokenizer is one of KerasHub, which is not installed.
        Exception: The file is corrupt; layers raise what they like.
    """
    if needs_kerashub(path):
        import_kerashub(str(path))
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    keep_in_graph(model.get_layer(VECTORIZER))
    return model


def needs_kerashub(path: pathlib.Path) -> bool:
    """Tells whether a `.keras` file has layers of KerasHub."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "config.json" in archive.namelist() and _MARK in archive.read("config.json")
