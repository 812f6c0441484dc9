"""File names of runs, exports and cache entries."""

import os
import pathlib
import re
from dataclasses import dataclass

from tfxfer.config.paths import user_path

# In an export: extra files, which a model server ignores; in its assets: class names, and facts.
EXTRA_FOLDER, LABELS_FILE, FACTS_FILE = "assets.extra", "labels.txt", "tfxfer.json"

# What heads decide before training, each in a file of the run.
FRAMING, MIRRORING, WARPING, STAGES = "framing", "mirroring", "warping", "stages"
DECISIONS = (FRAMING, MIRRORING, WARPING, STAGES)

CACHE_INDEX = "index.npz"  # in a cache entry: the index of its rows
_MODEL_FILE = re.compile(r"\.(keras|h5|tflite|onnx)$")  # of all formats


@dataclass(frozen=True)
class RunDirectory:
    """The directory of a run, and the paths of the files in it."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The decided settings: a recipe that repeats the run."""
        return self.path / "config.toml"

    @property
    def asked(self) -> pathlib.Path:
        """The settings that the user gave, as a recipe; defaults are left out."""
        return self.path / "asked.toml"

    @property
    def splits(self) -> pathlib.Path:
        """The split of each example: a manifest that `--data` accepts."""
        return self.path / "splits.csv"

    @property
    def seen(self) -> pathlib.Path:
        """Digests of the images that the model was trained on; see `seen`."""
        return seen_file(self.model)

    @property
    def places(self) -> pathlib.Path:
        """The directory that relative paths in the settings refer to; see `places`."""
        return self.path / "places.json"

    @property
    def skipped(self) -> pathlib.Path:
        """The unreadable images that were left out; missing if there were none."""
        return self.path / "skipped.csv"

    @property
    def history(self) -> pathlib.Path:
        """The history, one row per epoch."""
        return self.path / "history.csv"

    @property
    def trials(self) -> pathlib.Path:
        """The trials of the search, one row per trial; missing if there was no search."""
        return self.path / "trials.csv"

    @property
    def rates(self) -> pathlib.Path:
        """The steps of the learning rate range test; missing if it was not asked for."""
        return self.path / "rates.csv"

    @property
    def ranking(self) -> pathlib.Path:
        """The ranking that chose the backbone, as JSON; missing if the user named it."""
        return self.path / "ranking.json"

    def decision(self, name: str) -> pathlib.Path:
        """What heads decided before training, as JSON; missing if that was settled."""
        return self.path / f"{name}.json"

    @property
    def data_findings(self) -> pathlib.Path:
        """What the features say about the data, as JSON; missing if they were not examined."""
        return self.path / "data_findings.json"

    @property
    def events(self) -> pathlib.Path:
        """TensorBoard event files, one directory per split."""
        return self.path / "tensorboard"

    @property
    def best_weights(self) -> pathlib.Path:
        """Weights of the best epoch on validation."""
        return self.path / "best.weights.h5"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Checkpoints from which the run is resumed; removed when it is finished."""
        return self.path / "checkpoints"

    @property
    def started(self) -> pathlib.Path:
        """The settings that a run was started with, if those in `config` were replaced."""
        return self.checkpoints / "started.toml"

    @property
    def to_resume(self) -> pathlib.Path:
        """The settings to resume the run with, as a recipe."""
        return self.started if self.started.is_file() else self.config

    @property
    def lock(self) -> pathlib.Path:
        """Lock file while a process is working on the run; see `locked`."""
        return self.path / ".lock"

    @property
    def backbone(self) -> pathlib.Path:
        """A pretrained backbone for Keras: images in, feature maps out."""
        return self.path / "backbone.keras"

    @property
    def card(self) -> pathlib.Path:
        """The model card of the backbone."""
        return self.path / "backbone.md"

    @property
    def model(self) -> pathlib.Path:
        """The classifier for Keras: RGB in [0, 255] in, probabilities out."""
        return self.path / "model.keras"

    @property
    def classes(self) -> pathlib.Path:
        """Class names, one per line, in the order of the model's outputs."""
        return classes_file(self.model)

    @property
    def thresholds(self) -> pathlib.Path:
        """The threshold of each label, as JSON; missing if an image has one class."""
        return thresholds_file(self.model)

    @property
    def caution(self) -> pathlib.Path:
        """What the model calls unknown, with training features; missing without `unknown`."""
        return caution_file(self.model)

    @property
    def tasks(self) -> pathlib.Path:
        """The classes of each task, as JSON; missing if an image has one label, or several."""
        return tasks_file(self.model)

    @property
    def target(self) -> pathlib.Path:
        """What is known of the numbers of the target, as JSON; missing if an image has a class."""
        return target_file(self.model)

    @property
    def metrics(self) -> pathlib.Path:
        """The metrics, as JSON."""
        return self.path / "metrics.json"

    @property
    def evaluation(self) -> pathlib.Path:
        """The full evaluation on the test split, or validation without one, as JSON."""
        return self.path / "evaluation.json"

    @property
    def predictions(self) -> pathlib.Path:
        """The predictions for the images of that split."""
        return self.path / "predictions.csv"

    @property
    def out_of_fold(self) -> pathlib.Path:
        """Probabilities by models of folds that had not seen the image, as NumPy arrays."""
        return self.path / "out_of_fold.npz"

    @property
    def corrections(self) -> pathlib.Path:
        """The images corrected in the demo: a manifest that `--data` accepts."""
        return self.path / "corrections.csv"

    @property
    def corrected(self) -> pathlib.Path:
        """The folder of these images, each under a digest of its content."""
        return self.path / "corrections"

    @property
    def with_corrections(self) -> pathlib.Path:
        """The data of the run together with these images: a manifest that `--data` accepts."""
        return self.path / "with_corrections.csv"

    @property
    def report(self) -> pathlib.Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def model_card(self) -> pathlib.Path:
        """The model card, under the name that the Hugging Face hub expects."""
        return self.path / "README.md"

    @property
    def files(self) -> list[pathlib.Path]:
        """The files of a run except the report; they may not exist."""
        return [
            *(self.config, self.asked, self.splits, self.seen, self.places, self.skipped),
            *(self.history, self.trials, self.rates, self.ranking, self.best_weights),
            *(self.backbone, self.card, self.model, self.classes, self.thresholds, self.tasks),
            *(self.metrics, self.evaluation, self.predictions, self.model_card, self.caution),
            *(self.corrections, self.with_corrections, self.data_findings, self.target),
            *(self.out_of_fold, *map(self.decision, DECISIONS)),
        ]

    @property
    def is_new(self) -> bool:
        """Whether the directory does not exist, or has nothing but a lock file."""
        path = self.path
        return not path.exists() or (path.is_dir() and set(path.iterdir()) <= {self.lock})

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished; its checkpoints are removed last."""
        return self.metrics.is_file() and not self.checkpoints.exists()

    @property
    def is_interrupted(self) -> bool:
        """Whether the run was started and is not finished."""
        return self.config.is_file() and not self.is_finished


def files_of_model(model: str | pathlib.Path) -> list[pathlib.Path]:
    """Returns the files of a run, `.keras` file or SavedModel, which no output may overwrite."""
    path = user_path(model)
    if (path / "saved_model.pb").is_file():
        return [file for file in path.rglob("*") if file.is_file()]
    if path.is_file() or (path.suffix and not path.is_dir()):
        beside = (classes_file, thresholds_file, tasks_file, target_file, seen_file, caution_file)
        return [path, *(one(path) for one in beside)]
    return RunDirectory(path).files


def classes_file(model: pathlib.Path) -> pathlib.Path:
    """Returns the path of the class names of a `model.keras`, in the same directory."""
    return model.with_name("classes.txt")


def thresholds_file(model: pathlib.Path) -> pathlib.Path:
    """Returns the path of the thresholds of the labels of a `model.keras`."""
    return model.with_name("thresholds.json")


def tasks_file(model: pathlib.Path) -> pathlib.Path:
    """Returns the path of the tasks of a `model.keras`, with their classes."""
    return model.with_name("tasks.json")


def target_file(model: pathlib.Path) -> pathlib.Path:
    """Returns the path of what is known of the target of a `model.keras`."""
    return model.with_name("target.json")


def seen_file(model: pathlib.Path) -> pathlib.Path:
    """Returns the path of the digests of images that a `model.keras` was trained on."""
    return model.with_name(f"{model.stem}.seen.npz")


def caution_file(model: pathlib.Path) -> pathlib.Path:
    """Returns the path of what a `model.keras` calls unknown, in the same directory."""
    return model.with_name(f"{model.stem}.caution.npz")


def exported_seen_file(version: pathlib.Path) -> pathlib.Path:
    """Returns the path of these digests in a version of an export."""
    return version / EXTRA_FOLDER / "seen.npz"


def is_cache_rows(name: str) -> bool:
    """Tells whether a file holds the rows of a cache entry, by its name."""
    return name.startswith("rows-") and name.endswith(".npy")


def is_work(path: pathlib.Path) -> bool:
    """Tells whether a directory is a run, export, model or cache entry, whatever its name."""
    run, is_file = RunDirectory(path), os.path.isfile  # where it may not look, this says no
    if is_file(run.config):
        markers = (run.classes, run.metrics, run.asked, run.history, run.best_weights)
        return any(map(is_file, markers)) or os.path.isdir(run.checkpoints)
    if is_file(path / "saved_model.pb"):
        return True
    known = [one for one in ("classes.txt", CACHE_INDEX, ".lock") if is_file(path / one)]
    if not known or not os.access(path, os.R_OK):
        return False
    names = os.listdir(path)
    is_model = run.classes.name in known and any(_MODEL_FILE.search(name) for name in names)
    if is_model or (CACHE_INDEX in known and any(map(is_cache_rows, names))):
        return True
    # A run that has just started, or was killed then.
    return run.lock.name in known and all(name[0] == "." for name in names)
