"""A finished classifier: of a run, of a `.keras` file, or as it is served."""

import dataclasses
import itertools
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.classifier import with_features
from tfxfer.compilation import without_xla
from tfxfer.config import FitConfig, read_recipe
from tfxfer.errors import DataError, RunError, UsageError
from tfxfer.features import predict_batches
from tfxfer.images import decode_and_resize, readable_reason, resize
from tfxfer.isolation import isolated
from tfxfer.paths import listed_path, user_path
from tfxfer.run_directory import (
    RunDirectory,
    classes_file,
    open_run,
    read_class_names,
    read_metrics,
    versions,
)
from tfxfer.serving import FACTS_FILE, LABELS_FILE
from tfxfer.sources import Source, open_as_it_is, open_source

AnyImage = str | os.PathLike[str] | npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TrainedClassifier:
    """A model with what is known about it.

    Attributes:
        model: RGB in [0, 255], (batch, size, size, 3), to probabilities, (batch, num_classes).
        class_names: In the order of the model's outputs.
        path: The `.keras` file, with `classes.txt` beside it.
        config: The settings it was trained with; None for a file that is not in a run.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    path: pathlib.Path
    config: FitConfig | None

    @property
    def input_size(self) -> int:
        """The side in pixels of the square images that the model takes."""
        return int(self.model.input_shape[1])

    @isolated
    def predict(
        self, images: AnyImage | Iterable[AnyImage], batch_size: int = 64
    ) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the classes, (num_images, num_classes).

        Args:
            images: A path or an array, or several: files of JPEG, PNG, BMP, GIF or WebP, and uint8
                RGB of shape (height, width, 3), any size.
            batch_size: Images per step; no influence on the result.

        Raises:
            DataError: A file cannot be read.
            UsageError: An array is no uint8 RGB image.
        """
        outputs = [np.zeros((0, len(self.class_names)), np.float32)]
        outputs += self._batch_by_batch(self.predict_squares, images, batch_size)
        return np.concatenate(outputs)

    def predict_squares(self, squares: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the classes, (batch, num_classes).

        Args:
            squares: RGB in [0, 255], (batch, input_size, input_size, 3).
        """
        return np.asarray(self.model.predict_on_batch(squares.astype(np.float32)))

    def predict_dataset(
        self,
        batches: tf.data.Dataset,
        num_examples: int,
        batch_size: int,
        progress: Callable[[int], None],
    ) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the classes, (num_examples, num_classes).

        Args:
            batches: Of (squares, labels), as `pipeline.evaluation_batches` gives them.
            num_examples: In all.
            batch_size: Of all batches but the last.
            progress: Called after each batch with the number of batches done.
        """
        return predict_batches(self.model, batches, num_examples, batch_size, progress)

    @isolated
    def features(
        self, images: AnyImage | Iterable[AnyImage], batch_size: int = 64
    ) -> npt.NDArray[np.float32]:
        """Returns what the backbone pools for the head, (num_images, num_features).

        Args:
            images: As for `predict`.
            batch_size: Likewise.

        Raises:
            DataError, UsageError: As `predict`; a model that was not built by tfxfer has none.
        """
        outputs = with_features(self.model).output
        if "features" not in outputs:
            raise UsageError(
                f"The model '{self.path}' was not built by tfxfer: it has no features."
            )
        model = without_xla(keras.Model(self.model.input, outputs["features"]))
        found = [np.zeros((0, model.output_shape[-1]), np.float32)]
        found += self._batch_by_batch(
            lambda squares: np.asarray(model.predict_on_batch(squares)), images, batch_size
        )
        return np.concatenate(found)

    def open_source(self, data: str | None = None, data_dir: str | None = None) -> Source:
        """Returns the data it was trained on, in the very same splits, or others.

        Args:
            data: As for `fit`; None takes the run's own.
            data_dir: Where TFDS data lie; None takes the run's own.

        Raises:
            UsageError: No data are named, or they are not there.
        """
        if data is not None:
            return open_source(FitConfig(data=data, data_dir=data_dir))
        if self.config is None:
            raise UsageError(
                f"'{self.path}' does not say what data it was trained on: name some (--data)."
            )
        run = RunDirectory(self.path.parent)
        data_dir = data_dir or self.config.data_dir
        if run.splits.is_file():
            source = open_as_it_is(str(run.splits), data_dir)
            told = read_metrics(run) if run.metrics.is_file() else {}
            name = told.get("data", {}).get("name", source.name)
            return dataclasses.replace(source, name=name)
        return open_source(dataclasses.replace(self.config, data_dir=data_dir))

    def labels(self, source: Source, split: str) -> npt.NDArray[np.int64]:
        """Returns the labels of a split as the model numbers its classes, which go by their names.

        Raises:
            DataError: The data have classes that the model does not know.
        """
        number = {class_name: index for index, class_name in enumerate(self.class_names)}
        unknown = [class_name for class_name in source.class_names if class_name not in number]
        if unknown:
            raise DataError(
                f"'{source.name}' has classes that the model does not know: {', '.join(unknown)}. "
                f"The model knows {', '.join(self.class_names)}."
            )
        table = np.array([number[class_name] for class_name in source.class_names])
        return table[source.splits[split].labels]

    def _batch_by_batch(
        self,
        function: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]],
        images: AnyImage | Iterable[AnyImage],
        batch_size: int,
    ) -> list[npt.NDArray[np.float32]]:
        """Returns what a function makes of each batch of the images."""
        outputs = []
        waiting = iter(_listed(images))
        while batch := [self._prepared(image) for image in itertools.islice(waiting, batch_size)]:
            outputs.append(function(np.stack(batch)))
        return outputs

    def _prepared(self, image: AnyImage) -> npt.NDArray[np.float32]:
        """Returns an image as the model takes it."""
        if isinstance(image, str | os.PathLike):
            try:
                encoded = tf.io.read_file(listed_path(os.fspath(image)))
                square = decode_and_resize(encoded, self.input_size)
            except tf.errors.OpError as error:
                raise DataError(f"Cannot read '{image}': {readable_reason(error)}.") from None
        else:
            pixels = np.asarray(image)
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
                raise UsageError(
                    "An image is a path, or uint8 RGB of shape (height, width, 3); received was "
                    f"{pixels.dtype} of shape {pixels.shape}."
                )
            square = resize(tf.constant(pixels), self.input_size)
        return square.numpy().astype(np.float32)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ServedClassifier(TrainedClassifier):
    """A SavedModel that `tfxfer export` published, asked by its own signatures.

    Attributes:
        model: The loaded SavedModel.
        path: Its directory.
        config: None.
        size: Pixels of a side of the squares that it makes of images.
    """

    model: Any
    size: int

    @property
    def input_size(self) -> int:
        """The side in pixels of the square images that the model takes."""
        return self.size

    def predict_squares(self, squares: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """See `TrainedClassifier.predict_squares`."""
        pixels = tf.constant(squares.astype(np.uint8))
        answer = self.model.signatures["pixels"](pixels=pixels)
        return np.asarray(answer["probabilities"])

    def predict_dataset(
        self,
        batches: tf.data.Dataset,
        num_examples: int,
        batch_size: int,
        progress: Callable[[int], None],
    ) -> npt.NDArray[np.float32]:
        """See `TrainedClassifier.predict_dataset`."""
        found = []
        for number, (squares, _) in enumerate(batches.as_numpy_iterator(), start=1):
            found.append(self.predict_squares(squares))
            progress(number)
        return np.concatenate(found)

    def features(
        self, images: AnyImage | Iterable[AnyImage], batch_size: int = 64
    ) -> npt.NDArray[np.float32]:
        """See `TrainedClassifier.features`; files only, as the signature takes them.

        Raises:
            UsageError: The SavedModel has no such signature.
        """
        raise UsageError(
            f"The features of '{self.path}' are asked for by its signature 'features'; here they "
            "are given by a run or a '.keras' file."
        )


def _listed(images: AnyImage | Iterable[AnyImage]) -> Iterable[AnyImage]:
    """Returns several images, where one may have been given."""
    if isinstance(images, str | os.PathLike):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim == 3:
        return [images]
    return images


@isolated
def load(path: str | pathlib.Path) -> TrainedClassifier:
    """Returns the classifier of a run, of a `.keras` file, or of what `tfxfer export` published.

    Args:
        path: A run's directory; a file with `classes.txt` beside it; a version of a SavedModel, or
            the directory of its versions, of which the newest is taken.

    Raises:
        UsageError: There is no such thing, or the class names are missing.
        RunError: It is damaged, is no image classifier, or wants code of its own to run.
    """
    path = user_path(path)
    published = versions(path)
    if published and not (path / "config.toml").is_file():
        path = published[-1]
    if (path / "saved_model.pb").is_file():
        return _load_saved_model(path)
    if path.is_dir():
        run = open_run(path)
        config = read_recipe(run.config, FitConfig())
        return TrainedClassifier(*_load_model(run.model), run.model, config)
    if path.suffix != ".keras" or not path.is_file():
        raise UsageError(
            f"'{path}' is neither the directory of a run or of a SavedModel nor a '.keras' file."
        )
    return TrainedClassifier(*_load_model(path), path, None)


def _load_saved_model(path: pathlib.Path) -> ServedClassifier:
    """Returns a SavedModel with its class names and size, which are in its assets."""
    assets = path / "assets"
    try:
        facts = json.loads((assets / FACTS_FILE).read_text("utf-8"))
        size = int(facts["input_size"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"The SavedModel '{path}' was not published by `tfxfer export`: it has no "
            f"'assets/{FACTS_FILE}' that states its input size."
        ) from None
    class_names = read_class_names(assets / LABELS_FILE)
    try:
        model = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(f"Cannot load the SavedModel '{path}': {reason}") from error
    return ServedClassifier(model, class_names, path, None, size)


def _load_model(path: pathlib.Path) -> tuple[keras.Model, tuple[str, ...]]:
    """Returns the model and its class names."""
    class_names = read_class_names(classes_file(path))
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(f"Cannot load the model '{path}': {error}") from error
    if len(getattr(model, "input_shape", None) or ()) != 4:
        raise RunError(f"The model '{path}' does not take a batch of images.")
    num_classes = model.output_shape[-1]
    if num_classes != len(class_names):
        raise RunError(
            f"The model '{path}' has {num_classes} classes, but '{classes_file(path)}' names "
            f"{len(class_names)}."
        )
    return without_xla(model), class_names
