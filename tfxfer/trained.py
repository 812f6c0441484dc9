"""A finished classifier, from a run or from a `.keras` file."""

import pathlib
import zipfile
from dataclasses import dataclass

import keras

from tfxfer.config import FitConfig, read_recipe
from tfxfer.errors import RunError, UsageError
from tfxfer.run_directory import classes_file, open_run, read_class_names


@dataclass(frozen=True)
class TrainedClassifier:
    """A model with what is known about it.

    Attributes:
        model: RGB in [0, 255], (batch, size, size, 3), to probabilities, (batch, num_classes).
        class_names: In the order of the model's outputs.
        config: The settings it was trained with; None for a file that is not in a run.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    config: FitConfig | None

    @property
    def input_size(self) -> int:
        """The side in pixels of the square images that the model takes."""
        return int(self.model.input_shape[1])


def load_trained(path: str | pathlib.Path) -> TrainedClassifier:
    """Returns the classifier of a run directory or a `.keras` file with `classes.txt` beside it.

    Raises:
        UsageError: There is no such run or file, or the class names are missing.
        RunError: The file is damaged, is no image classifier, or wants code of its own to run.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        run = open_run(path)
        return TrainedClassifier(*_load_model(run.model), read_recipe(run.config, FitConfig()))
    if path.suffix != ".keras" or not path.is_file():
        raise UsageError(f"'{path}' is neither the directory of a run nor a '.keras' file.")
    return TrainedClassifier(*_load_model(path), None)


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
