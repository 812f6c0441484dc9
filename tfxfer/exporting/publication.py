"""Settings of a publication: name, directory, calibration, minimum accuracy."""

import pathlib
from dataclasses import dataclass
from typing import TypedDict

from tfxfer.config.paths import user_path
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import option_of
from tfxfer.errors import UsageError
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.runs.places import run_settings
from tfxfer.system.names import check_name, safe_name
from tfxfer.system.run_layout import RunDirectory


class PublicationSettings(TypedDict, total=False):
    """The fields of a `Publication` as keywords, for type checkers."""

    name: str | None
    export_dir: str | None
    calibrate: bool
    min_accuracy: float
    keep: int | None
    unknown: bool
    unknown_rate: float
    coverage: float


@dataclass(frozen=True)
class Publication:
    """How a model is to be published.

    Attributes:
        name: Name of the model on the server; None takes that of the run or file.
        export_dir: Folder of the exports; None takes that of the run, whatever the working
            directory is, or `saved_models`.
        calibrate: Apply temperature scaling, fitted on validation; see `calibration`.
        min_accuracy: A less accurate model is not published. The accuracy is that on the test
            split or, without one, on validation, of images that it was not trained on.
        keep: Number of versions to keep; None keeps all.
        unknown: Also flag unknown images, and give prediction sets; see `inference.caution`.
        unknown_rate: Target false alarm rate, in (0, 1): the fraction of images like the training
            images that are flagged as unknown.
        coverage: Target fraction of prediction sets that contain the true class, in (0, 1).
    """

    name: str | None = None
    export_dir: str | None = None
    calibrate: bool = False
    min_accuracy: float = 0.0
    keep: int | None = None
    unknown: bool = False
    unknown_rate: float = 0.05
    coverage: float = 0.9

    def __post_init__(self) -> None:
        if self.name is not None:
            check_name(self.name, "name", "--export-dir")
        for name in ("unknown_rate", "coverage"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(
                    f"Setting '{name}' ({option_of(name)}) is {getattr(self, name):g}; it must be "
                    "above 0 and below 1."
                )

    def directory(self, trained: TrainedClassifier) -> pathlib.Path:
        """Returns where the versions of a model go."""
        name = safe_name(_name_of(trained), "model") if self.name is None else self.name
        return user_path(self.export_dir or _own_export_dir(trained)) / name


def _name_of(trained: TrainedClassifier) -> str:
    """Returns the name of a model on a server: that of its run, or of its file or folder."""
    folder = trained.path.resolve().parent.name
    if trained.config:
        return folder
    return folder if trained.path.stem == "model" else trained.path.stem


def _own_export_dir(trained: TrainedClassifier) -> str:
    """Returns where the exports of a model go unless it is said."""
    if trained.config is None:
        return "saved_models"
    return run_settings(RunDirectory(trained.path.parent), FitConfig).export_dir
