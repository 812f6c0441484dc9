"""A finished classifier, from a run or from a `.keras` file."""

import dataclasses
import itertools
import os
import pathlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.classifier import with_features
from tfxfer.config import FitConfig, read_recipe
from tfxfer.errors import DataError, RunError, UsageError
from tfxfer.images import decode_and_resize, readable_reason, resize
from tfxfer.run_directory import (
    RunDirectory,
    classes_file,
    open_run,
    read_class_names,
    read_metrics,
)
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
        return self._outputs(self.model, images, batch_size)

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
        model = keras.Model(self.model.input, outputs["features"])
        return self._outputs(model, images, batch_size)

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

    def _outputs(
        self, model: keras.Model, images: AnyImage | Iterable[AnyImage], batch_size: int
    ) -> npt.NDArray[np.float32]:
        """Returns the outputs of a model of this one's input."""
        outputs = [np.zeros((0, model.output_shape[-1]), np.float32)]
        waiting = iter(_listed(images))
        while batch := [self._prepared(image) for image in itertools.islice(waiting, batch_size)]:
            outputs.append(np.asarray(model.predict_on_batch(np.stack(batch))))
        return np.concatenate(outputs)

    def _prepared(self, image: AnyImage) -> npt.NDArray[np.float32]:
        """Returns an image as the model takes it."""
        if isinstance(image, str | os.PathLike):
            try:
                encoded = tf.io.read_file(os.fspath(image))
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


def _listed(images: AnyImage | Iterable[AnyImage]) -> Iterable[AnyImage]:
    """Returns several images, where one may have been given."""
    if isinstance(images, str | os.PathLike):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim == 3:
        return [images]
    return images


def load(path: str | pathlib.Path) -> TrainedClassifier:
    """Returns the classifier of a run directory or a `.keras` file with `classes.txt` beside it.

    Raises:
        UsageError: There is no such run or file, or the class names are missing.
        RunError: The file is damaged, is no image classifier, or wants code of its own to run.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        run = open_run(path)
        config = read_recipe(run.config, FitConfig())
        return TrainedClassifier(*_load_model(run.model), run.model, config)
    if path.suffix != ".keras" or not path.is_file():
        raise UsageError(f"'{path}' is neither the directory of a run nor a '.keras' file.")
    return TrainedClassifier(*_load_model(path), path, None)


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
    return model, class_names
