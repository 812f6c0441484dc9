"""`load`: loads a trained classifier from a run, a file or an export."""

import dataclasses
import pathlib
from typing import Any

import keras
import numpy as np

from tfxfer.config.paths import user_path
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.numbers import read_number
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.tasks import read_tasks
from tfxfer.errors import UsageError
from tfxfer.inference.caution import read_caution
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.foreign import as_classifier
from tfxfer.inference.model_files import read_model
from tfxfer.inference.saved_model import load_saved_model
from tfxfer.models.folding.once import folded_once
from tfxfer.models.heads import head_layers
from tfxfer.models.sigmoids import DEFAULT_THRESHOLD
from tfxfer.runs.class_names import read_class_names, read_thresholds
from tfxfer.runs.directory import open_run
from tfxfer.runs.versions import newest_version
from tfxfer.system import streams
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import (
    caution_file,
    classes_file,
    target_file,
    tasks_file,
    thresholds_file,
)

# Folding BatchNorm into the weights takes 0.1 s and saves 2 ms per image (MobileNetV2 at 224
# pixels, two cores): for this many it pays with small images, too.
_MANY_IMAGES = 500


@isolated
def load(path: str | pathlib.Path) -> TrainedClassifier:
    """Loads a trained classifier.

    Models that were not built by tfxfer are accepted too; `foreign` describes which. Assumptions
    about them are written to standard error.

    Args:
        path: A run's directory; a `.keras` or `.h5` file with `classes.txt` next to it; a version
            of a SavedModel, or the directory of its versions, of which the newest is loaded.

    Returns:
        The classifier: a Keras model with its class names.

    Raises:
        UsageError: The model or its class names do not exist.
        RunError: The file is corrupt, is not an image classifier, or needs custom code.

    Examples:
        >>> import tfxfer
        >>> classifier = tfxfer.load("runs/photos")  # doctest: +SKIP
        >>> classifier.class_names  # doctest: +SKIP
        ('cat', 'dog')
    """
    path = newest_version(user_path(path))
    if (path / "saved_model.pb").is_file():
        return load_saved_model(path)
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
            f"There is no model '{path}'. Give a run such as 'runs/NAME', the directory of a "
            "SavedModel, or a '.keras' or '.h5' file."
        )
    trained = _load_model(path, None)
    for note in trained.notes:
        streams.note(f"'{path}': {note}")
    return trained


def for_many(trained: TrainedClassifier, num_images: int) -> TrainedClassifier:
    """Returns the fastest classifier for a number of images; results differ by rounding.

    One that also tells unknown images needs the network that its features are read from, and an
    export is fast already: they are returned as they are.

    Args:
        trained: The classifier, as `load` returns it.
        num_images: Number of images that it will classify.
    """
    is_network = isinstance(trained.model, keras.Function)
    if num_images < _MANY_IMAGES or trained.is_cautious or not is_network:
        return trained
    return dataclasses.replace(trained, model=folded_once(trained.model)[0])


def _load_model(path: pathlib.Path, config: FitConfig | None) -> TrainedClassifier:
    """Returns the classifier of a file with its class names."""
    classes = classes_file(path)
    class_names = read_class_names(classes)
    tasks = read_tasks(tasks_file(path))
    if tasks is not None and tasks.output_names != class_names:
        raise UsageError(
            f"'{tasks_file(path)}' has other tasks and classes than '{classes}'. Take both from "
            "the same run."
        )
    number = read_number(target_file(path))
    if number is not None and class_names != (number.name,):
        raise UsageError(
            f"'{target_file(path)}' is of '{number.name}', but '{classes}' names other outputs. "
            "Take both from the same run."
        )
    is_ours = tasks is not None or number is not None
    adapted = as_classifier(read_model(path), class_names, path, classes, is_ours=is_ours)
    names, notes, thresholds = adapted.class_names, adapted.notes, None
    if adapted.has_several_labels:
        known = read_thresholds(thresholds_file(path), names)
        thresholds = np.array(known or [DEFAULT_THRESHOLD] * len(names))
        if known is None:
            notes = (*notes, f"the model has no '{thresholds_file(path).name}': thresholds are 0.5")
    is_ordered = any(layer.name == "thresholds" for layer in head_layers(adapted.model))
    more: dict[str, Any] = {"tasks": tasks, "is_ordered": is_ordered, "number": number}
    outputs = Outputs(names, thresholds=thresholds, **more)
    caution = read_caution(caution_file(path))
    return TrainedClassifier(adapted.model, outputs, path, config, notes=notes, caution=caution)
