"""What can be said of settings before anything heavy is imported and any data are opened."""

import pathlib

from tfxfer.backbones import find_backbone
from tfxfer.config import FitConfig
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.run_directory import check_writable, named_run

_SUFFIXES = (".h5", ".hdf5", ".keras")


def check_settings(config: FitConfig) -> None:
    """Raises a UsageError where a setting names something that is not there or does not fit.

    Checked are that data are named, the backbone with its stages and its smallest size, the
    weights, and where the results go.
    """
    if not config.data:
        raise UsageError(
            "Missing setting 'data': the name of a data set, a folder, or 'digits' (--data)."
        )
    backbone = find_backbone(config.backbone)
    if config.weights not in ("imagenet", "none"):
        find_weights_file(config.weights)
    check_writable(config.runs_dir, "runs_dir")
    check_writable(config.export_dir, "export_dir")
    if config.run is not None:
        named_run(config.runs_dir, config.run)
    unfreeze = config.finetune.unfreeze
    allowed = ["all", "none", *backbone.stage_names]
    if unfreeze is not None and unfreeze not in allowed:
        raise UsageError(
            f"Unknown stage '{unfreeze}' of backbone '{backbone.name}'."
            f"{did_you_mean(unfreeze, allowed)} Setting 'finetune.unfreeze' (--unfreeze) may be "
            f"{', '.join(allowed)}."
        )
    if config.image_size is not None and config.image_size < backbone.min_size:
        raise UsageError(
            f"Setting 'image_size' is {config.image_size}; backbone '{backbone.name}' needs at "
            f"least {backbone.min_size} pixels."
        )


def find_weights_file(weights: str) -> pathlib.Path:
    """Returns the file that the setting `weights` names where it is no word.

    Raises:
        UsageError: There is no such file, or it is of another kind.
    """
    path = pathlib.Path(weights).expanduser()
    if not path.exists() and not path.suffix:
        hint = did_you_mean(weights, ("imagenet", "none"))
        raise UsageError(
            f"Unknown weights '{weights}'.{hint} They are 'imagenet', 'none' or the path of a "
            ".h5, .weights.h5 or .keras file."
        )
    if path.suffix not in _SUFFIXES or path.is_dir():
        raise UsageError(
            f"Cannot load weights from '{weights}': it must be a .h5, .weights.h5 or .keras file."
        )
    if not path.exists():
        raise UsageError(f"There is no weights file '{weights}'.")
    return path
