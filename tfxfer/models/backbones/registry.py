"""All backbones, by name."""

import pathlib
import re

from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.keras_applications import ROWS
from tfxfer.system.keras_settings import weights_home

_WEIGHTS_SUFFIXES = (".h5", ".hdf5", ".keras")


def find_backbone(name: str) -> Backbone:
    """Returns the backbone of a name, ignoring case, '-', '_', '.' and spaces.

    Raises:
        UsageError: There is no such backbone. The message suggests the nearest name.
    """
    known = {_plain(row): row for row in BACKBONES}
    if _plain(name) in known:
        return BACKBONES[known[_plain(name)]]
    hint = did_you_mean(name.lower(), BACKBONES)
    raise UsageError(f"Unknown backbone '{name}'.{hint} Run `tfxfer backbones` to list all.")


def _plain(name: str) -> str:
    return re.sub(r"[-_.\s]", "", name).lower()


BACKBONES: dict[str, Backbone] = {row.name: row for row in ROWS}


def weights_path(backbone: Backbone) -> pathlib.Path:
    """Returns where the file of a backbone's own weights belongs; it may not exist."""
    if backbone.bundled:
        import importlib.resources  # `--help` does without

        package = importlib.resources.files("tfxfer.models.backbones")
        return pathlib.Path(str(package / "pretrained" / backbone.weights_file))
    return weights_home() / "models" / backbone.weights_file


def local_weights(backbone: Backbone) -> pathlib.Path | None:
    """Returns the file of a backbone's own weights, None if it has to be downloaded first."""
    path = weights_path(backbone)
    return path if path.is_file() else None


def find_weights_file(backbone: Backbone, weights: str) -> pathlib.Path | None:
    """Returns the file that the setting `weights` names, None for the backbone's own weights.

    Raises:
        UsageError: There is no such file, or it is not a weights file.
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
    if path.suffix not in _WEIGHTS_SUFFIXES or path.is_dir():
        raise UsageError(
            f"Cannot load weights from '{weights}': it must be a .h5, .weights.h5 or .keras file."
        )
    if not path.exists():
        raise UsageError(f"There is no weights file '{weights}'. Check the path.")
    return path
