"""`load`: loads a trained classifier from a run, a file or an export."""

import pathlib

from tfxfer.api.modality import by_model
from tfxfer.inference import loading
from tfxfer.inference.classifier import TrainedClassifier


@by_model
def load(path: str | pathlib.Path) -> TrainedClassifier:
    """Loads a trained classifier.

    Models of images that were not built by tfxfer are accepted too; assumptions about them are
    written to standard error.

    Args:
        path: A run's directory; a `.keras` or `.h5` file with `classes.txt` next to it; a version
            of a SavedModel, or the directory of its versions, of which the newest is loaded.

    Returns:
        The classifier: a Keras model with its class names. That of texts, a `TrainedTexts`, has the
        same methods and takes texts.

    Raises:
        UsageError: The model or its class names do not exist.
        RunError: The file is corrupt, is not a classifier, or needs custom code.

    Examples:
        >>> import tfxfer
        >>> classifier = tfxfer.load("runs/photos")  # doctest: +SKIP
        >>> classifier.class_names  # doctest: +SKIP
        ('cat', 'dog')
    """
    return loading.load(path)
