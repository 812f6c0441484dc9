"""What can be said of settings before anything heavy is imported and any data are opened."""

from tfxfer.config.schema import FitConfig, RunConfig
from tfxfer.config.settings import option_of, setting_keys
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import find_backbone, find_weights_file
from tfxfer.runs.naming import check_run_name, named_run
from tfxfer.system.files import check_writable


def check_settings(config: RunConfig) -> Backbone:
    """Returns the backbone that settings name, once they are found to fit what is there.

    Checked are that all text can be written down, that data are named, the backbone with its
    smallest size, where the results go, and for a fit the weights and the stages.

    Raises:
        UsageError: A setting names something that is not there or does not fit.
    """
    _check_text(config)
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
    return backbone


def _check_text(config: RunConfig) -> None:
    """Raises a UsageError for text that is not UTF-8, which no file of a run could hold."""
    for key in setting_keys(type(config)):
        value = config.get(key)
        if isinstance(value, str) and not _is_utf_8(value):
            shown = value.encode("utf-8", "backslashreplace").decode()
            raise UsageError(
                f"Setting '{key}' is '{shown}', which is not UTF-8: it could not be written down "
                f"with the other settings. Rename it, or give another {option_of(key)}."
            )


def _is_utf_8(text: str) -> bool:
    """Tells whether there are no bytes in a text that Python could not decode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
