"""What can be said of settings before anything heavy is imported and any data are opened."""

import pathlib

from tfxfer.backbones import Backbone, find_backbone
from tfxfer.config import FitConfig, RunConfig
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.paths import user_path
from tfxfer.run_directory import check_run_name, check_writable, named_run

_SUFFIXES = (".h5", ".hdf5", ".keras")


def check_settings(config: RunConfig) -> None:
    """Raises a UsageError where a setting names something that is not there or does not fit.

    Checked are that data are named, the backbone with its smallest size, where the results go, and
    for a fit the weights and the stages.
    """
    if not config.data:
        raise UsageError(
            "Missing setting 'data': the name of a data set, a folder, or 'digits' (--data)."
        )
    backbone = find_backbone(config.backbone)
    check_writable(config.runs_dir, "runs_dir")
    if config.cache_dir is not None:
        check_writable(config.cache_dir, "cache_dir")
    if config.run is not None:
        check_run_name(config.run)
    if isinstance(config, FitConfig):
        _check_fit(config, backbone)
    if config.image_size is not None and config.image_size < backbone.min_size:
        raise UsageError(
            f"Setting 'image_size' is {config.image_size}; backbone '{backbone.name}' needs at "
            f"least {backbone.min_size} pixels."
        )


def _check_fit(config: FitConfig, backbone: Backbone) -> None:
    if config.weights is not None and config.weights != "none":
        find_weights_file(backbone, config.weights)
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


def find_weights_file(backbone: Backbone, weights: str) -> pathlib.Path | None:
    """Returns the file that the setting `weights` names, None for the backbone's own word.

    Raises:
        UsageError: There is no such file, or it is of another kind.
    """
    if weights == backbone.weights_name:
        return None
    path = user_path(weights, "Setting 'weights'")
    if not path.exists() and not path.suffix:
        hint = did_you_mean(weights, (backbone.weights_name, "none"))
        raise UsageError(
            f"Unknown weights '{weights}'.{hint} For backbone '{backbone.name}' they are "
            f"'{backbone.weights_name}', 'none' or the path of a .h5, .weights.h5 or .keras file."
        )
    if path.suffix not in _SUFFIXES or path.is_dir():
        raise UsageError(
            f"Cannot load weights from '{weights}': it must be a .h5, .weights.h5 or .keras file."
        )
    if not path.exists():
        raise UsageError(f"There is no weights file '{weights}'.")
    return path
