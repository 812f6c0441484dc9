"""A trained classifier of texts: of a run, of a `.keras` file, or of an export."""

import importlib
import json
import os
import pathlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.paths import expand_user, user_path
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.source import labels_by_name
from tfxfer.errors import RunError, UsageError
from tfxfer.runs.class_names import read_class_names
from tfxfer.runs.directory import open_run
from tfxfer.runs.places import run_settings
from tfxfer.runs.versions import newest_version
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import (
    FACTS_FILE,
    LABELS_FILE,
    RunDirectory,
    classes_file,
    exported_seen_file,
    seen_file,
)
from tfxfer.text.data.encoding import UTF_8, encoded
from tfxfer.text.data.opening import as_they_come, open_as_they_are, open_texts
from tfxfer.text.data.record import read_seen_texts
from tfxfer.text.data.source import TextSource
from tfxfer.text.models.classifier import features_model
from tfxfer.text.models.saved import load_text_model
from tfxfer.text.models.vocabulary import VECTORIZER
from tfxfer.text.models.weights import num_read
from tfxfer.text.planning.plan import check_backend


@dataclass(frozen=True)
class TrainedTexts:
    """A trained model of texts with its class names and settings.

    Attributes:
        model: Texts, strings of shape (batch,), to probabilities, (batch, num_classes).
        class_names: In the order of the model's outputs.
        path: The file of the model, with `classes.txt` beside it.
        config: The settings it was trained with; None for a file that is not in a run.
        max_words: Words of a text that it reads.
    """

    model: Any
    class_names: tuple[str, ...]
    path: pathlib.Path
    config: FitConfig | None
    max_words: int

    @isolated
    def predict(
        self, texts: str | bytes | Iterable[str | bytes], batch_size: int = 64
    ) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the classes, (num_texts, num_classes).

        Args:
            texts: A text or several; bytes are UTF-8, and a word with other bytes is unknown.
            batch_size: Texts per step; does not change the result.
        """
        return self._in_batches(texts, batch_size, "probabilities", len(self.class_names))

    @isolated
    def features(
        self, texts: str | bytes | Iterable[str | bytes], batch_size: int = 64
    ) -> npt.NDArray[np.float32]:
        """Returns the features that the head takes, (num_texts, num_features)."""
        return self._in_batches(texts, batch_size, "features", 0)

    def _in_batches(
        self, texts: str | bytes | Iterable[str | bytes], batch_size: int, name: str, width: int
    ) -> npt.NDArray[np.float32]:
        given = [texts] if isinstance(texts, str | bytes) else list(texts)
        contents = [encoded(text) if isinstance(text, str) else text for text in given]
        # Texts of similar length together: the others would be padded to the longest.
        order = sorted(range(len(contents)), key=lambda place: len(contents[place]))
        found: list[npt.NDArray[np.float32]] = [np.zeros(width, np.float32)] * len(contents)
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            rows = self._answer([contents[place] for place in places], name)
            for place, row in zip(places, rows, strict=True):
                found[place] = row
        return np.stack(found) if found else np.zeros((0, width), np.float32)

    def _answer(self, contents: Sequence[bytes], name: str) -> npt.NDArray[np.float32]:
        """Returns one output for a batch of texts."""
        texts = tf.constant(list(contents), tf.string)
        if name == "probabilities":
            return np.asarray(self.model.predict_on_batch(texts))
        return np.asarray(features_model(self.model)(texts, training=False)[name])

    def open_source(
        self, data: str | None = None, data_dir: str | None = None, encoding: str = UTF_8
    ) -> TextSource:
        """Opens data to evaluate the model on: those of its run, in the same splits, or others.

        Args:
            data: As for `fit`; None uses the data of the run.
            data_dir: Directory of TFDS datasets; None is that of the run, or the default of TFDS.
            encoding: Of other data.

        Raises:
            UsageError: No data are given, or there are no such data.
            DataError: The data cannot be read, or have classes that the model does not know.
        """
        if data is not None:
            source = as_they_come(open_as_they_are(expand_user(data), encoding, data_dir))
        elif self.config is None:
            raise UsageError(
                f"'{self.path}' does not say what data it was trained on. Give data with --data."
            )
        else:
            settings = run_settings(RunDirectory(self.path.parent), FitConfig)
            given = {} if data_dir is None else {"data_dir": data_dir}
            source = open_texts(settings.with_settings(given))
        self.labels_of(source)
        return source

    def labels_of(self, source: TextSource) -> npt.NDArray[np.int64]:
        """Returns the model's label of each class of the data, (num_classes,), matched by name.

        Raises:
            DataError: The data have classes that the model does not know.
        """
        return labels_by_name(source.name, source.class_names, self.class_names)

    def seen(self) -> npt.NDArray[np.uint8] | None:
        """Returns the digests of the texts that it was trained on; None if they are not known."""
        return read_seen_texts(seen_file(self.path))


class ServedTexts(TrainedTexts):
    """A SavedModel published by `tfxfer export`, run through its own signatures."""

    def seen(self) -> npt.NDArray[np.uint8] | None:
        """See `TrainedTexts.seen`."""
        return read_seen_texts(exported_seen_file(self.path))

    def _answer(self, contents: Sequence[bytes], name: str) -> npt.NDArray[np.float32]:
        signature = "features" if name == "features" else "serving_default"
        answer = self.model.signatures[signature](text=tf.constant(list(contents), tf.string))
        return np.asarray(answer[name])


def load_texts(path: str | os.PathLike[str]) -> TrainedTexts:
    """Loads a trained classifier of texts.

    Args:
        path: A run's directory, a `.keras` file with `classes.txt` next to it, a version of a
            SavedModel, or the directory of its versions, of which the newest is loaded.

    Raises:
        UsageError: The model or its class names do not exist.
        RunError: The file is corrupt.
    """
    check_backend()
    path = newest_version(user_path(path))
    if (path / "saved_model.pb").is_file():
        return _load_served(path)
    if path.is_dir():
        run = open_run(path)
        return _load_file(run.model, read_recipe(run.config, FitConfig()))
    return _load_file(path, None)


def _load_file(path: pathlib.Path, config: FitConfig | None) -> TrainedTexts:
    class_names = read_class_names(classes_file(path))
    try:
        model = load_text_model(path)
        max_words = num_read(model.get_layer(VECTORIZER))
    except UsageError:
        raise
    # Layers raise what they like when they are built of a corrupt configuration.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(f"Cannot load the model of texts '{path}': {reason}") from error
    if model.output_shape[-1] != len(class_names):
        raise RunError(
            f"The model '{path}' has {model.output_shape[-1]} classes, but "
            f"'{classes_file(path)}' names {len(class_names)}."
        )
    return TrainedTexts(model, class_names, path, config, max_words)


def _load_served(path: pathlib.Path) -> ServedTexts:
    assets = path / "assets"
    class_names = read_class_names(assets / LABELS_FILE)
    try:
        facts = json.loads((assets / FACTS_FILE).read_text("utf-8"))
        max_words = int(facts["max_words"])
        if "tensorflow_text" in facts.get("needs", ()):
            _import_text_operations(path)
        model = tf.saved_model.load(str(path))
    except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(f"Cannot load the SavedModel '{path}': {reason}") from error
    return ServedTexts(model, class_names, path, None, max_words)


def _import_text_operations(path: pathlib.Path) -> None:
    """Imports TensorFlow Text, whose operations an export has.

    Raises:
        UsageError: It is not installed, or of another version of TensorFlow.
    """
    try:
        importlib.import_module("tensorflow_text")
    except (ImportError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"'{path}' needs the operations of TensorFlow Text, which cannot be imported "
            f"({reason}): pip install tensorflow-text, in the version of TensorFlow."
        ) from None
