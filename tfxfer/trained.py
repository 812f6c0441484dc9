"""A finished classifier: of a run, of a `.keras` file, or as it is served."""

import dataclasses
import functools
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
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
from tfxfer.foreign import as_classifier, check_finite
from tfxfer.images import decode_and_resize, readable_reason, resize
from tfxfer.isolation import isolated
from tfxfer.model_files import read_model
from tfxfer.paths import listed_path, user_path
from tfxfer.places import data_places, is_relative, run_settings
from tfxfer.run_directory import (
    RunDirectory,
    classes_file,
    exported_seen_file,
    open_run,
    read_class_names,
    read_metrics,
    seen_file,
    versions,
)
from tfxfer.seen import BoundSource, Seen, bound, carving_of, read_seen, rebound, without_seen
from tfxfer.serving import FACTS_FILE, LABELS_FILE
from tfxfer.sources import Source, Split, open_as_it_is
from tfxfer.sources.source import listed, places_of
from tfxfer.streams import tell

# Files of a split that are looked for where it may have been moved.
_SAMPLE = 64

AnyImage = str | os.PathLike[str] | npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TrainedClassifier:
    """A model with what is known about it.

    Attributes:
        model: RGB in [0, 255], (batch, size, size, 3), to probabilities, (batch, num_classes).
        class_names: In the order of the model's outputs.
        path: The file of the model, with `classes.txt` beside it.
        config: The settings it was trained with; None for a file that is not in a run.
        notes: What was assumed of a model that was not built by tfxfer.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    path: pathlib.Path
    config: FitConfig | None
    notes: tuple[str, ...] = field(default=(), kw_only=True)

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
            images: A path or an array, or several: files of JPEG, PNG, BMP, GIF, WebP or TIFF, and
                uint8 RGB of shape (height, width, 3), any size.
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
        found = np.asarray(self.model.predict_on_batch(squares.astype(np.float32)))
        return check_finite(found, self.path)

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
        found = predict_batches(self.model, batches, num_examples, batch_size, progress)
        return check_finite(found, self.path)

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

    @functools.cached_property
    def seen(self) -> Seen | None:
        """Which images it has seen; None where that is not known."""
        seen = read_seen(seen_file(self.path))
        if seen is None and self.config is not None:
            return _seen_by_older_run(RunDirectory(self.path.parent), self.config)
        return seen

    def open_source(self, data: str | None = None, data_dir: str | None = None) -> BoundSource:
        """Returns the data it was trained on, in the very same splits, or others.

        What it was trained on is in no split that judges it; see `seen.bound`.

        Args:
            data: As for `fit`; None takes the run's own.
            data_dir: Where TFDS data lie; None takes the run's own.

        Raises:
            UsageError: No data are named, or they are not there.
            DataError: The run's own data are not where they were.
        """
        run = RunDirectory(self.path.parent)
        if self.config is not None:
            data_dir = data_dir or run_settings(run, FitConfig).data_dir
        if data is not None:
            return bound(open_as_it_is(data, data_dir), self.seen)
        if self.config is None:
            name = f" They are called '{self.seen.data}'." if self.seen else ""
            raise UsageError(
                f"'{self.path}' does not say what data it was trained on: name some (--data).{name}"
            )
        return _open_own_data(run, data_dir, lambda: self.seen)

    def labels(self, source: Source, split: Split) -> npt.NDArray[np.int64]:
        """Returns the labels of a split of data as the model numbers its classes, by their names.

        Raises:
            DataError: The data have classes that the model does not know.
        """
        places = places_of(source.class_names, self.class_names)
        unknown = [
            name for name, place in zip(source.class_names, places, strict=True) if place is None
        ]
        if unknown:
            raise DataError(
                f"'{source.name}' has classes that the model does not know: {listed(unknown)}. "
                f"The model knows {listed(self.class_names)}."
            )
        table = np.array([place or 0 for place in places])
        return table[split.labels]

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
                square = decode_and_resize(encoded, self.input_size, portable=False)
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

    @functools.cached_property
    def seen(self) -> Seen | None:
        """Which images the model has seen; None where that is not known."""
        return read_seen(exported_seen_file(self.path)) or _seen_by_older_export(self.path)

    @property
    def input_size(self) -> int:
        """The side in pixels of the square images that the model takes."""
        return self.size

    def predict_squares(self, squares: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """See `TrainedClassifier.predict_squares`."""
        pixels = tf.constant(squares.astype(np.uint8))
        answer = self.model.signatures["pixels"](pixels=pixels)
        return check_finite(np.asarray(answer["probabilities"]), self.path)

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

    What is assumed of a model that was not built by tfxfer is said on standard error; `foreign`
    describes what it may be.

    Args:
        path: A run's directory; a `.keras` or `.h5` file with `classes.txt` beside it; a version of
            a SavedModel, or the directory of its versions, of which the newest is taken.

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
        if (path / "model.weights.h5").is_file() and not (path / "config.toml").is_file():
            raise UsageError(
                f"'{path}' is the unpacked content of a '.keras' file: zip it again, or save it "
                f"with `keras.models.load_model('{path}').save('model.keras')`."
            )
        run = open_run(path)
        config = read_recipe(run.config, FitConfig())
        return _load_model(run.model, config)
    if not path.is_file():
        raise UsageError(
            f"'{path}' is neither the directory of a run or of a SavedModel nor a '.keras' or "
            "'.h5' file."
        )
    trained = _load_model(path, None)
    for note in trained.notes:
        tell(f"note: '{path}': {note}")
    return trained


def _open_own_data(
    run: RunDirectory, data_dir: str | None, seen: Callable[[], Seen | None]
) -> BoundSource:
    """Returns the data of a run in its splits, from where they lie now.

    Args:
        run: Where it lies.
        data_dir: Where TFDS data lie.
        seen: Returns what the run has seen, for which a run of long ago reads all of its files.

    Raises:
        DataError: They are not where they were, or are others now.
    """
    config = run_settings(run, FitConfig)
    told = read_metrics(run) if run.metrics.is_file() else {}
    try:
        if not run.splits.is_file():  # a run of long ago
            return bound(open_as_it_is(config.data, data_dir), seen())
        source = open_as_it_is(str(run.splits), data_dir)
        _check_there(source)
    except (DataError, UsageError) as error:
        moved = _open_moved_data(run, config, data_dir, seen())
        if moved is None:
            places = " or ".join(f"'{place}'" for place in data_places(run, config))
            raise DataError(
                f"The data of the run '{run.path}' are not where they were. {error} The run was "
                f"given {places}. Say where its data are now with --data."
            ) from None
        return moved
    source = dataclasses.replace(source, name=told.get("data", {}).get("name", source.name))
    known = seen() if run.seen.is_file() else None
    return without_seen(source, known, len(source.splits["train"]))


def _open_moved_data(
    run: RunDirectory, config: FitConfig, data_dir: str | None, seen: Seen | None
) -> BoundSource | None:
    """Returns the data of a run from where its project lies now, None where they are not there."""
    if seen is None or not os.path.exists(config.data) or not is_relative(run, "data"):
        return None
    try:
        return rebound(open_as_it_is(config.data, data_dir), seen)
    except (DataError, UsageError):
        return None


def _check_there(source: Source) -> None:
    """Raises a DataError where a split has lost all of its files."""
    if source.origin is not None:
        return
    for name, split in source.splits.items():
        sample = np.linspace(0, len(split) - 1, min(len(split), _SAMPLE)).round().astype(int)
        if not any(os.path.exists(split.describe(int(index))) for index in sample):
            raise DataError(
                f"None of the images of '{name}' is there, such as {split.describe(0)}."
            )


def _seen_by_older_run(run: RunDirectory, config: FitConfig) -> Seen | None:
    """Returns what a run has seen that has no record of it, as far as its files are still there."""
    told = (read_metrics(run) if run.metrics.is_file() else {}).get("data", {})
    try:
        source = open_as_it_is(str(run.splits), config.data_dir)
        _check_there(source)
        seen = Seen.of(source, source.splits, config)
    except (DataError, UsageError):
        if "fingerprint" not in told:
            return None
        seen = Seen(told.get("name", ""), "", carving_of(config))
    return dataclasses.replace(seen, fingerprint=told.get("fingerprint", seen.fingerprint))


def _seen_by_older_export(path: pathlib.Path) -> Seen | None:
    """Returns the same of an export without a record: only its own data can be recognised."""
    try:
        told = json.loads((path / "assets" / FACTS_FILE).read_text("utf-8"))["data"]
        return Seen(told["name"], told["fingerprint"], FitConfig())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _load_saved_model(path: pathlib.Path) -> ServedClassifier:
    """Returns a SavedModel with its class names and size, which are in its assets."""
    assets = path / "assets"
    try:
        facts = json.loads((assets / FACTS_FILE).read_text("utf-8"))
        size = int(facts["input_size"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"The SavedModel '{path}' was not published by `tfxfer export`: it has no "
            f"'assets/{FACTS_FILE}' that states its input size. If Keras 2 wrote it, save it there "
            "as a file, which tfxfer takes: `model.save('model.h5')`."
        ) from None
    class_names = read_class_names(assets / LABELS_FILE)
    try:
        model = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(f"Cannot load the SavedModel '{path}': {reason}") from error
    return ServedClassifier(model, class_names, path, None, size)


def _load_model(path: pathlib.Path, config: FitConfig | None) -> TrainedClassifier:
    """Returns the classifier of a file with its class names."""
    classes = classes_file(path)
    class_names = read_class_names(classes)
    adapted = as_classifier(read_model(path), class_names, path, classes)
    return TrainedClassifier(adapted.model, adapted.class_names, path, config, notes=adapted.notes)
