"""The names of the files of a run, of an export and of an entry of the cache."""

import os
import pathlib
import re
from dataclasses import dataclass

from tfxfer.config.paths import user_path

# Of an export: files that come along with it, and that a server leaves alone.
EXTRA_FOLDER = "assets.extra"

# In its folder of assets: the class names, and what it is.
LABELS_FILE, FACTS_FILE = "labels.txt", "tfxfer.json"

# Of an entry of the cache: what tells what its rows are.
CACHE_INDEX = "index.npz"

# Models in any of the forms in which they are written.
_MODEL_FILE = re.compile(r"\.(keras|h5|tflite|onnx)$")


@dataclass(frozen=True)
class RunDirectory:
    """The directory of one fit or pretraining, and the names of the files in it."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The resolved settings: a recipe that repeats the run."""
        return self.path / "config.toml"

    @property
    def asked(self) -> pathlib.Path:
        """What was asked for: a recipe of the settings that are not the defaults."""
        return self.path / "asked.toml"

    @property
    def splits(self) -> pathlib.Path:
        """Which example was in which split: a manifest, which `--data` takes."""
        return self.path / "splits.csv"

    @property
    def seen(self) -> pathlib.Path:
        """Which images the model has seen, by their content; see `seen`."""
        return seen_file(self.model)

    @property
    def places(self) -> pathlib.Path:
        """What the relative paths of the settings are relative to; see `places`."""
        return self.path / "places.json"

    @property
    def skipped(self) -> pathlib.Path:
        """Which images were left out because they cannot be read; only there if some were."""
        return self.path / "skipped.csv"

    @property
    def history(self) -> pathlib.Path:
        """One row per epoch."""
        return self.path / "history.csv"

    @property
    def events(self) -> pathlib.Path:
        """TensorBoard's event files, in one directory per split."""
        return self.path / "tensorboard"

    @property
    def best_weights(self) -> pathlib.Path:
        """Weights of the epoch that was best on validation."""
        return self.path / "best.weights.h5"

    @property
    def checkpoints(self) -> pathlib.Path:
        """The last states of the run, from which it goes on; there until the run is finished."""
        return self.path / "checkpoints"

    @property
    def lock(self) -> pathlib.Path:
        """There while a process works in the run; see `locked`."""
        return self.path / ".lock"

    @property
    def backbone(self) -> pathlib.Path:
        """A pretrained backbone for plain Keras: images in, feature maps out."""
        return self.path / "backbone.keras"

    @property
    def card(self) -> pathlib.Path:
        """What the backbone was trained on and how, for people."""
        return self.path / "backbone.md"

    @property
    def model(self) -> pathlib.Path:
        """The classifier for plain Keras: RGB in [0, 255] in, probabilities out."""
        return self.path / "model.keras"

    @property
    def classes(self) -> pathlib.Path:
        """Class names, one per line, in the order of the model's outputs."""
        return classes_file(self.model)

    @property
    def metrics(self) -> pathlib.Path:
        """What came out, as JSON."""
        return self.path / "metrics.json"

    @property
    def evaluation(self) -> pathlib.Path:
        """How the model did on the split that judges it, as JSON, in full."""
        return self.path / "evaluation.json"

    @property
    def predictions(self) -> pathlib.Path:
        """What was said of each image of that split."""
        return self.path / "predictions.csv"

    @property
    def report(self) -> pathlib.Path:
        """The page that a person reads."""
        return self.path / "report.html"

    @property
    def model_card(self) -> pathlib.Path:
        """The model card, under the name by which the Hugging Face hub looks for it."""
        return self.path / "README.md"

    @property
    def files(self) -> list[pathlib.Path]:
        """All that a run is made of, whether it is there or not, but for the page."""
        return [
            *(self.config, self.asked, self.splits, self.seen, self.places, self.skipped),
            *(self.history, self.best_weights, self.backbone, self.card, self.model),
            *(self.classes, self.metrics, self.evaluation, self.predictions, self.model_card),
        ]

    @property
    def is_new(self) -> bool:
        """Whether nothing of a run is there yet: no directory, or one with nothing but a lock."""
        return not self.path.exists() or (
            self.path.is_dir() and all(path == self.lock for path in self.path.iterdir())
        )

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end; what it goes on from is removed last."""
        return self.metrics.is_file() and not self.checkpoints.exists()

    @property
    def is_interrupted(self) -> bool:
        """Whether the run has begun and not come to its end."""
        return self.config.is_file() and not self.is_finished


def files_of_model(model: str | pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that a model is read from, which no output may replace.

    Args:
        model: A run's directory, a `.keras` file, or a SavedModel; it need not be there.
    """
    path = user_path(model)
    if (path / "saved_model.pb").is_file():
        return [file for file in path.rglob("*") if file.is_file()]
    if path.is_file() or (path.suffix and not path.is_dir()):
        return [path, classes_file(path), seen_file(path)]
    return RunDirectory(path).files


def classes_file(model: pathlib.Path) -> pathlib.Path:
    """Returns where the class names of a `model.keras` lie: beside it."""
    return model.with_name("classes.txt")


def seen_file(model: pathlib.Path) -> pathlib.Path:
    """Returns where the record of what a `model.keras` has seen lies: beside it."""
    return model.with_name(f"{model.stem}.seen.npz")


def exported_seen_file(version: pathlib.Path) -> pathlib.Path:
    """Returns where this record lies in a version of an export."""
    return version / EXTRA_FOLDER / "seen.npz"


def is_cache_rows(name: str) -> bool:
    """Tells whether a file's name is that of the rows of an entry of the cache."""
    return name.startswith("rows-") and name.endswith(".npy")


def is_work(path: pathlib.Path) -> bool:
    """Tells whether a directory is a result of tfxfer: a run, export, model or cache entry.

    It is told by what is in it, whatever its name, and whether it is finished or not.
    """
    run = RunDirectory(path)
    if run.config.is_file():
        told = (run.classes, run.metrics, run.asked, run.history, run.best_weights)
        return any(file.is_file() for file in told) or run.checkpoints.is_dir()
    if (path / "saved_model.pb").is_file():
        return True
    others = [run.classes.name, CACHE_INDEX, run.lock.name]
    known = [name for name in others if (path / name).is_file()]
    if not known:
        return False
    names = os.listdir(path)
    if run.classes.name in known and any(_MODEL_FILE.search(name) for name in names):
        return True
    if CACHE_INDEX in known and any(map(is_cache_rows, names)):
        return True
    # Begun a moment ago, or when it was killed.
    return run.lock.name in known and all(name[0] == "." for name in names)
