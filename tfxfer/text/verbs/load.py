"""`load` of a classifier of texts."""

import pathlib

from tfxfer.system.isolation import isolated
from tfxfer.text.serving.loading import TrainedTexts, load_texts


@isolated
def load(path: str | pathlib.Path) -> TrainedTexts:
    """Loads a trained classifier of texts; see `tfxfer.load`."""
    return load_texts(path)
