"""The settings of an examination by features.

Nothing here imports Keras, so that a misspelled name is found at once.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import option_of, setting_keys
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.models.backbones.registry import find_backbone, find_weights_file
from tfxfer.planning.inputs import check_inputs
from tfxfer.planning.preflight import check_image_size
from tfxfer.system.files import check_output

# The settings of `fit` that decide what features are, and where they are cached.
EXAMINATION_SETTINGS = (
    "weights",
    "image_size",
    "input_size",
    "fit_images",
    "batch_size",
    "memory_gigabytes",
    "cache_gigabytes",
    "cache_dir",
    "seed",
)


def asked_examination(
    config: FitConfig,
    backbone: str | None,
    settings: Mapping[str, Any],
    manifest: str | pathlib.Path | None = None,
    page: str | pathlib.Path | None = None,
) -> FitConfig | None:
    """Returns the settings of an examination, checked; None if no backbone was named.

    Args:
        config: The settings of the check: data, and what is done about unreadable images.
        backbone: Name of the backbone.
        settings: Some of `EXAMINATION_SETTINGS`, by name.
        manifest: The file to write the data to, if any.
        page: The file to write the page to, if any.

    Raises:
        UsageError: A setting is wrong, needs a backbone, or names what does not exist.
    """
    for name in settings:
        if name not in EXAMINATION_SETTINGS and name in setting_keys(FitConfig):
            raise UsageError(
                f"Setting '{name}' has no effect on a check. With --backbone, these do: "
                f"{', '.join(EXAMINATION_SETTINGS)}."
            )
        if name not in EXAMINATION_SETTINGS:
            raise UsageError(f"Unknown setting '{name}'.{did_you_mean(name, EXAMINATION_SETTINGS)}")
    if backbone is None:
        needing = [option_of(name) for name in settings]
        needing += ["--write-manifest"] if manifest is not None else []
        needing += ["--output"] if page is not None else []
        if needing:
            raise UsageError(
                f"{needing[0]} needs --backbone: without it no features are computed. Name one, "
                "such as --backbone mobilenetv2; `tfxfer backbones` lists them."
            )
        return None
    asked = config.with_settings({"backbone": backbone, **settings})
    _check(asked)
    if manifest is not None:
        _check_manifest(manifest, asked.data)
    if page is not None:
        check_output(page, "--output", [asked.data], "text")
    return asked


def _check(asked: FitConfig) -> None:
    """Raises a UsageError if a setting names what does not exist."""
    check_inputs(asked)
    backbone = find_backbone(asked.backbone)
    if asked.weights != "none":
        find_weights_file(backbone, asked.weights or backbone.weights_name)
    check_image_size(asked, backbone)


def _check_manifest(path: str | pathlib.Path, data: str) -> None:
    """Raises a UsageError if a manifest cannot be written."""
    if pathlib.Path(path).suffix.lower() != ".csv":
        raise UsageError(
            f"Cannot write the manifest '{path}': its name must end in .csv. Choose another file "
            "with --write-manifest."
        )
    check_output(path, "--write-manifest", [data], "text")
