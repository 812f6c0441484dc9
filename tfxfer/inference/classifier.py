"""A trained classifier: of a run, of a `.keras` file, or of an export."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import AnySize, Frame
from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache
from tfxfer.data.labels.numbers import write_number
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.targets import Labels, are_numbers, are_several
from tfxfer.data.labels.tasks import Tasks, write_tasks
from tfxfer.data.opening import open_as_it_is
from tfxfer.data.seen import BoundSource, Seen, bound, read_seen
from tfxfer.data.source import Source, Split, labels_by_name, listed, places_of
from tfxfer.data.sources.channels import with_channels
from tfxfer.errors import DataError, UsageError
from tfxfer.inference.caution import Caution, Judged
from tfxfer.inference.foreign import check_finite
from tfxfer.inference.given_images import AnyImage, batch_by_batch
from tfxfer.inference.matching import objective_of, reading_of, rows_by_name
from tfxfer.inference.own_data import open_own_data, seen_by_older_run
from tfxfer.models.heads import with_features
from tfxfer.models.objectives import Objective
from tfxfer.models.prediction import predict_batches
from tfxfer.models.preprocessing import frame_of
from tfxfer.runs.class_names import write_class_names, write_thresholds
from tfxfer.runs.places import run_settings
from tfxfer.system.devices import without_xla
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import (
    RunDirectory,
    classes_file,
    seen_file,
    target_file,
    tasks_file,
    thresholds_file,
)


@dataclass(frozen=True)
class TrainedClassifier:
    """A trained model with its class names and settings.

    Attributes:
        model: Images in [0, 255], (batch, height, width, channels), to probabilities, (batch,
            num_classes).
        outputs: What its outputs are of.
        path: The file of the model, with `classes.txt` beside it.
        config: The settings it was trained with; None for a file that is not in a run.
        notes: What was assumed of a model that was not built by tfxfer.
        caution: What else it says of an image; None for nothing.
    """

    model: keras.Model
    outputs: Outputs
    path: pathlib.Path
    config: FitConfig | None
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    caution: Caution | None = field(default=None, kw_only=True)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes or labels, in the order of the model's outputs."""
        return self.outputs.names

    @property
    def thresholds(self) -> npt.NDArray[np.float64] | None:
        """The threshold of each label, (num_labels,), of multi-label models; None for others."""
        return self.outputs.thresholds

    @property
    def tasks(self) -> Tasks | None:
        """The tasks whose classes the outputs are; None if there are none."""
        return self.outputs.tasks

    @property
    def is_ordered(self) -> bool:
        """Whether the classes have an order: that of the outputs."""
        return self.outputs.is_ordered

    @property
    def objective(self) -> Objective:
        """What the probabilities are of: of classes, of several labels, or of several tasks."""
        return objective_of(self.outputs)

    def decisions(self, probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the predicted class of each image, (num_images,), or which labels it gets.

        Args:
            probabilities: Shape (num_images, num_classes).

        Returns:
            For multi-label data, true where the probability is at least the threshold, (num_images,
            num_labels). Of tasks, the class of each, (num_images, num_tasks). Numbers as they are.
        """
        return self.outputs.decisions(probabilities)

    def write_names(self, path: pathlib.Path) -> None:
        """Writes the class names, and the thresholds of labels, beside a file of the model."""
        write_class_names(classes_file(path), self.class_names)
        if self.thresholds is not None:
            write_thresholds(thresholds_file(path), self.class_names, self.thresholds.tolist())
        if self.tasks is not None:
            write_tasks(tasks_file(path), self.tasks)
        if self.outputs.number is not None:
            write_number(target_file(path), self.outputs.number)

    @property
    def frame(self) -> Frame:
        """What the model takes, and how images are fitted into it."""
        return frame_of(self.model)

    @property
    def input_size(self) -> AnySize:
        """The size of the images that it takes: the side of a square, or "224x320"."""
        return self.frame.size

    @isolated
    def predict(
        self, images: AnyImage | Iterable[AnyImage], batch_size: int = 64
    ) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the classes, (num_images, num_classes).

        Args:
            images: A path or an array, or several: files as in training, and uint8 of shape
                (height, width, channels), any size; three channels are RGB.
            batch_size: Images per step; does not change the result.

        Raises:
            DataError: A file cannot be read.
            UsageError: An array is not a uint8 image of the model's channels.
        """
        outputs = [np.zeros((0, len(self.class_names)), np.float32)]
        outputs += batch_by_batch(self.predict_squares, images, self.frame, batch_size)
        return np.concatenate(outputs)

    def predict_squares(self, squares: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the classes, (batch, num_classes).

        Args:
            squares: In [0, 255], (batch, height, width, channels).
        """
        found = np.asarray(self.model.predict_on_batch(squares.astype(np.float32)))
        return check_finite(found, self.path)

    @property
    def is_cautious(self) -> bool:
        """Whether it also tells unknown images and prediction sets."""
        return self.caution is not None

    def judge_squares(
        self, squares: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float32], Judged | None]:
        """Returns the probabilities of images, and what else is said of them, if anything.

        Args:
            squares: As for `predict_squares`.
        """
        if self.caution is None:
            return self.predict_squares(squares), None
        found = self._whole.predict_on_batch(squares.astype(np.float32))
        probabilities, features = (
            check_finite(np.asarray(found[name]), self.path)
            for name in ("probabilities", "features")
        )
        return probabilities, self.caution.judge(features, probabilities)

    @functools.cached_property
    def _whole(self) -> keras.Model:
        """The model with its features as a second output."""
        return without_xla(with_features(self.model))

    def predict_dataset(
        self,
        batches: tf.data.Dataset,
        num_examples: int,
        batch_size: int,
        progress: Callable[[int], None],
    ) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the classes, (num_examples, num_classes).

        Args:
            batches: Of (squares, labels), as `batches.evaluation_batches` gives them.
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
        """Returns the pooled features that the head takes, (num_images, num_features).

        Args:
            images: As for `predict`.
            batch_size: Images per step; does not change the result.

        Raises:
            DataError: A file cannot be read.
            UsageError: An array is not an image, or the model was not built by tfxfer.
        """
        outputs = with_features(self.model).output
        if "features" not in outputs:
            raise UsageError(
                f"The model '{self.path}' was not built by tfxfer, so its features are unknown."
            )
        model = without_xla(keras.Model(self.model.input, outputs["features"]))
        found = [np.zeros((0, model.output_shape[-1]), np.float32)]
        found += batch_by_batch(
            lambda x: np.asarray(model.predict_on_batch(x)), images, self.frame, batch_size
        )
        return np.concatenate(found)

    @functools.cached_property
    def seen(self) -> Seen | None:
        """Which images it has seen; None where that is not known."""
        seen = read_seen(seen_file(self.path))
        if seen is None and self.config is not None:
            return seen_by_older_run(RunDirectory(self.path.parent), self.config)
        return seen

    def open_source(self, data: str | None = None, data_dir: str | None = None) -> BoundSource:
        """Opens data to evaluate the model on: those of its run, in the same splits, or others.

        The splits for evaluation have no images that the model was trained on; see `seen.bound`.

        Args:
            data: As for `fit`; None uses the data of the run.
            data_dir: Directory of TFDS datasets; None uses that of the run.

        Raises:
            UsageError: No data are given, or there are no such data.
            DataError: The data of the run have moved or changed.
        """
        run, cache = RunDirectory(self.path.parent), Cache.of(self.config)
        if self.config is not None and not data_dir:
            data_dir = run_settings(run, FitConfig).data_dir
        if data is not None:
            how = reading_of(data, self.config, self.outputs)
            source = open_as_it_is(data, data_dir, needs_train=False, how=how, cache=cache)
            source = with_channels(source, self.frame.channels, str(self.path))
            return bound(self._noting_unknown(source), self.seen)
        if self.config is None:
            lacks = "does not say what data it was trained on"
            if self.seen:
                lacks = f"does not say where its training data '{self.seen.data}' are"
            raise UsageError(f"'{self.path}' {lacks}. Give data with --data.")
        return open_own_data(run, data_dir, lambda: self.seen)

    def _noting_unknown(self, source: Source) -> Source:
        """Returns data with a note on the labels of the model that they do not have."""
        pairs = zip(self.class_names, places_of(self.class_names, source.class_names), strict=True)
        absent = [name for name, place in pairs if place is None]
        if self.thresholds is None or not absent:
            return source
        note = f"labels of the model that are not in these data count as unknown: {listed(absent)}"
        return dataclasses.replace(source, notes=(*source.notes, note))

    def labels(self, source: Source, split: Split) -> Labels:
        """Returns the labels of a split as the model numbers its classes, matched by name.

        For multi-label data, those of the model that the data do not have are unknown.

        Raises:
            DataError: The data have classes that the model does not know.
        """
        places = self.check_classes(source)
        if are_numbers(split.labels):
            return split.labels
        if not are_several(split.labels):
            return places[split.labels]
        return rows_by_name(split.labels, places, self.outputs)

    def check_classes(self, source: Source) -> npt.NDArray[np.int64]:
        """Returns the model's label of each class of the data, (num_classes,), matched by name.

        Raises:
            DataError: The data have classes that the model does not know, or labels of another kind
                than it gives.
        """
        ours = self.outputs.kind_of_labels
        if source.kind_of_labels != ours:
            raise DataError(
                f"'{source.name}' has {source.kind_of_labels}, but the model '{self.path}' gives "
                f"{ours}. Use data with labels of the same kind."
            )
        return labels_by_name(source.name, source.class_names, self.class_names)
