"""The record of a backbone of KerasHub, from the files of its preset."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.config.paths import expand_user
from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.pixels import Scaling
from tfxfer.models.foreign.tables import read_json, read_license
from tfxfer.models.presets import timm
from tfxfer.models.presets.families import FAMILIES, OUTER_FAMILIES
from tfxfer.models.presets.family import Anatomy, Family
from tfxfer.models.presets.files import (
    CONFIG,
    CONVERTER,
    METADATA,
    WEIGHTS,
    read_scaling,
)
from tfxfer.models.presets.handles import Handle, fetch, find_handle
from tfxfer.models.presets.settings import checked_settings
from tfxfer.models.presets.timm import find_architecture, read_pretrained
from tfxfer.models.presets.tokens import hub
from tfxfer.models.presets.tokens.transformers import (
    KIND,
    is_of_transformers,
    read_network,
    read_preprocessor,
)

PREFIX = "kerashub:"


def is_preset(name: str) -> bool:
    """Tells whether the name of a backbone is that of a preset."""
    return name.lower().startswith(PREFIX)


def preset_backbone(name: str) -> Backbone:
    """Returns the backbone of a preset; reads its JSON files, and downloads them if need be.

    Args:
        name: `kerashub:` and a directory that `save_to_preset` wrote or that holds a network of
            timm or transformers, or a name as `resnet_18_imagenet`, or `kaggle://` or `hf://` and
            an address.

    Raises:
        UsageError: There is no such preset, or its network cannot be used.
        WeightsError: Its files cannot be downloaded.
    """
    what = name[len(PREFIX) :]
    path = pathlib.Path(expand_user(what, "Setting 'backbone'"))
    if what and path.is_dir():
        folder = path.resolve()
        return _of_folder(folder, f"{PREFIX}{folder}")
    if not what or (("/" in what or what.startswith((".", "~"))) and "://" not in what):
        raise UsageError(
            f"There is no directory '{what}' of a preset. Give one that `save_to_preset` of "
            f"KerasHub wrote, or the name of a preset, such as {PREFIX}resnet_18_imagenet."
        )
    if what.startswith(hub.SCHEME):
        return _of_folder(hub.folder_of(what), name)
    return _of_handle(find_handle(what))


def _of_folder(folder: pathlib.Path, name: str) -> Backbone:
    path = folder / CONFIG
    if not path.is_file():
        raise UsageError(
            f"'{folder}' is not a preset of KerasHub: it has no '{CONFIG}'. `save_to_preset` "
            "writes one."
        )
    config, found = read_json(path), read_license(folder)
    unknown = f"unknown, see where '{folder.name}' is from"
    license = f"{found} (says its README.md)" if found else unknown
    if "architecture" in config and "class_name" not in config:
        return _of_timm(name, folder, config, license)
    if is_of_transformers(config):
        return _of_transformers(name, folder, config, license)
    return _backbone(name, folder, license=license)


def _of_timm(name: str, folder: pathlib.Path, config: Mapping[str, Any], license: str) -> Backbone:
    """Returns the record of the network in a directory of timm."""
    path = folder / CONFIG
    architecture = find_architecture(config["architecture"], path)
    scaling, size, own_license = read_pretrained(config, path)
    return _record(
        name,
        folder,
        (
            architecture.family,
            architecture.settings,
            architecture.family.anatomy(architecture.settings),
        ),
        (scaling, size),
        license=own_license or license,
        num_parameters=architecture.num_parameters,
        weights_file=timm.WEIGHTS,
        preset_architecture=config["architecture"],
    )


def _of_transformers(
    name: str, folder: pathlib.Path, config: Mapping[str, Any], license: str
) -> Backbone:
    """Returns the record of the network in a directory of transformers."""
    family, settings, num_parameters = read_network(config, folder / CONFIG)
    try:
        anatomy = family.anatomy(settings)
    except ValueError as error:
        raise UsageError(f"'{folder / CONFIG}' describes no possible network: {error}.") from None
    _check_size(folder / timm.WEIGHTS, num_parameters, CONFIG)
    return _record(
        name,
        folder,
        (family, settings, anatomy),
        read_preprocessor(folder),
        license=license,
        num_parameters=num_parameters,
        weights_file=timm.WEIGHTS,
        preset_architecture=f"{KIND}{config['model_type']}",
    )


def _of_handle(handle: Handle) -> Backbone:
    for file in (CONFIG, CONVERTER, METADATA):
        fetch(handle, file)
    backbone = _backbone(
        f"{PREFIX}{handle.name}",
        handle.folder,
        license=f"unknown, see {handle.page}",
        preset_address=handle.address,
    )
    class_name = dict(backbone.builder_arguments)["class_name"]
    if handle.class_name not in (None, class_name):
        raise UsageError(
            f"The preset '{handle.name}' is not what KerasHub lists: a {class_name} instead of a "
            f"{handle.class_name}. Use another preset."
        )
    return backbone


def _backbone(name: str, folder: pathlib.Path, **own: Any) -> Backbone:
    """Returns the record of the preset in a folder.

    Args:
        name: Of the backbone.
        folder: Where the files are.
        **own: Other fields of the record.
    """
    network, pixels = _network(folder), read_scaling(folder / CONVERTER)
    number, anatomy = _num_parameters(folder, network[2]), network[2]
    return _record(
        name,
        folder,
        network,
        pixels,
        num_parameters=anatomy.parameters_at(pixels[1]) if anatomy.parameters_at else number,
        weights_file=WEIGHTS,
        **own,
    )


def _record(
    name: str,
    folder: pathlib.Path,
    network: tuple[Family, Mapping[str, Any], Anatomy],
    pixels: tuple[Scaling, int],
    **own: Any,
) -> Backbone:
    """Returns the record of a network; `pixels` are the scaling and the size of its images."""
    family, settings, anatomy = network
    scaling, size = pixels
    if size < anatomy.min_size and family.has_patches:
        raise UsageError(
            f"The preset '{folder}' has images of {size} pixels; its network needs at least "
            f"{anatomy.min_size}."
        )
    return Backbone(
        name=name,
        module=family.builder[0],
        builder=family.builder[1],
        builder_arguments=(
            ("class_name", family.class_name),
            ("settings", tuple((key, _hashable(value)) for key, value in settings.items())),
        ),
        pixels=scaling,
        native_size=size,
        min_size=min(anatomy.min_size, size),
        num_features=anatomy.num_features,
        stages=anatomy.stages,
        last_resolution=anatomy.last_resolution,
        batch_norm=family.batch_norm,
        paper=anatomy.paper,
        weights_name="preset",
        preset_folder=str(folder),
        **own,
    )


def _network(folder: pathlib.Path) -> tuple[Family, Mapping[str, Any], Anatomy]:
    """Returns the network that a preset describes."""
    path = folder / CONFIG
    found = read_json(path)
    where = f"'{path}'"
    class_name = found.get("class_name")
    outer = OUTER_FAMILIES.get(class_name) if isinstance(class_name, str) else None
    if outer is not None:
        config = found.get("config")
        inner = config.get(outer.outer_setting) if isinstance(config, dict) else None
        found = inner if isinstance(inner, dict) else {}
        class_name = found.get("class_name")
    family = FAMILIES.get(class_name) if isinstance(class_name, str) else None
    if family is None:
        usable = ", ".join(FAMILIES)
        raise UsageError(
            f"{where} describes a network {class_name!r:.60}, which cannot be used. Backbones are "
            f"those of the classes {usable} of KerasHub."
        )
    settings = checked_settings(found.get("config"), family.kinds, family.defaults, where)
    try:
        return family, settings, family.anatomy(settings)
    except ValueError as error:
        raise UsageError(f"{where} describes no possible network: {error}.") from None


def _num_parameters(folder: pathlib.Path, anatomy: Anatomy) -> int:
    """Returns the number of parameters that a preset says, once nothing speaks against it."""
    path = folder / METADATA
    number = read_json(path).get("parameter_count")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UsageError(f"'{path}' does not say the number of parameters, 'parameter_count'.")
    if anatomy.least_parameters > number:
        raise UsageError(
            f"'{path}' says {number:,} parameters, but the network of '{CONFIG}' has at least "
            f"{anatomy.least_parameters:,}. The preset is corrupt."
        )
    _check_size(folder / WEIGHTS, number, METADATA)
    return number


def _check_size(weights: pathlib.Path, number: int, where: str) -> None:
    """Raises a UsageError if a file is too small for the parameters that another file says."""
    # At least two bytes each, as bfloat16.
    if weights.is_file() and weights.stat().st_size < 2 * number:
        raise UsageError(
            f"'{weights}' is too small for the {number:,} parameters that '{where}' says. The "
            "preset is corrupt."
        )


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
