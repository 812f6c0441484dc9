"""The presets that KerasHub lists by name, and their files at Kaggle.

Their list is read from the source of the installed package, without importing it: that would take
seconds and TensorFlow, before a misspelled name is noticed.
"""

import ast
import os
import pathlib
import re
import socket
import urllib.request
from dataclasses import dataclass
from typing import Any

from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError, WeightsError, did_you_mean
from tfxfer.models.foreign.kerashub import EXTRA, installed_folder
from tfxfer.models.presets.families import FAMILIES

_HOST = "www.kaggle.com"

_TIMEOUT_SECONDS = 5.0

_SCHEME = "kaggle://"


@dataclass(frozen=True)
class Handle:
    """A preset at Kaggle.

    Attributes:
        name: As KerasHub calls it, or its address with `kaggle://`.
        address: Owner, model, framework, variant and version, with slashes.
        class_name: Of the network, as KerasHub lists it; None if it does not.
    """

    name: str
    address: str
    class_name: str | None = None

    @property
    def folder(self) -> pathlib.Path:
        """Where Kaggle's package caches the files (KAGGLEHUB_CACHE)."""
        cache = user_path(os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub")
        return cache / "models" / self.address

    @property
    def page(self) -> str:
        """The address of the model's page."""
        return f"https://{_HOST}/models/{'/'.join(self.address.split('/')[:2])}"


def check_installed(name: str) -> pathlib.Path:
    """Returns the folder of the installed KerasHub.

    Args:
        name: Of the backbone that needs it.

    Raises:
        UsageError: It is not installed.
    """
    folder = installed_folder()
    if folder is None:
        raise UsageError(
            f"Backbone '{name}' is one of KerasHub, which is not installed: pip install "
            f"'tfxfer[{EXTRA}]'. It brings TensorFlow Text, of 200 MB."
        )
    return folder


def find_handle(name: str) -> Handle:
    """Returns the preset of a name.

    Args:
        name: One that KerasHub lists, or `kaggle://owner/model/keras/variant/version`.

    Raises:
        UsageError: There is no such preset, its network cannot be used, or KerasHub is not
            installed.
    """
    models = check_installed(f"{EXTRA}:{name}") / "src" / "models"
    if name.startswith(_SCHEME):
        address = name.removeprefix(_SCHEME)
        if not re.fullmatch(r"[\w-]+/[\w-]+/[kK]eras/\w[\w.-]*/\d+", address):
            raise UsageError(
                f"Cannot use the preset '{name}': an address at Kaggle is "
                f"{_SCHEME}OWNER/MODEL/keras/VARIANT/VERSION, with the version."
            )
        return Handle(name, address)
    listed: dict[str, Handle] = {}
    for family in FAMILIES.values():
        for key, row in _presets_in(models / family.presets).items():
            address = row["kaggle_handle"].removeprefix(_SCHEME)
            listed[key] = Handle(key, address, family.class_name)
    if name in listed:
        return _not_another(listed[name])
    usable = ", ".join(sorted(family.removesuffix("Backbone") for family in FAMILIES))
    for path in sorted(models.glob("*/*_presets.py")):
        if name in _presets_in(path):
            is_encoder = path.parent.name in ("bert", "distil_bert")
            hint = f" Text encoders are read from a directory, {EXTRA}:DIRECTORY." * is_encoder
            raise UsageError(
                f"The preset '{name}' of KerasHub cannot be used: its network is one of "
                f"{path.parent.name}. Backbones are those of {usable}.{hint}"
            )
    raise UsageError(
        f"KerasHub has no preset '{name}'.{did_you_mean(name, listed)} Give the name of one of "
        f"its presets ({usable}), or the directory of a preset."
    )


def _not_another(handle: Handle) -> Handle:
    """Returns a listed preset unless its address is that of another.

    In KerasHub 0.32.0 that of EfficientNet EL, EM and ES is that of B1.
    """
    variant = handle.address.split("/")[-2]
    if variant != handle.name:
        raise UsageError(
            f"The preset '{handle.name}' cannot be used: KerasHub lists it with the address of "
            f"'{variant}', which is another network."
        )
    return handle


def _presets_in(path: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Returns the presets in a module of KerasHub; an empty dict if it is not as expected."""
    try:
        tree = ast.parse(path.read_bytes())
        found = [node.value for node in tree.body if isinstance(node, ast.Assign)]
        tables = [ast.literal_eval(value) for value in found]
        return tables[0] if tables and isinstance(tables[0], dict) else {}
    except (OSError, ValueError, SyntaxError):
        return {}


def fetch(handle: Handle, file: str) -> pathlib.Path:
    """Returns a file of a preset, after downloading it if need be.

    Raises:
        WeightsError: It cannot be downloaded.
    """
    path = handle.folder / file
    if path.is_file():
        return path
    try:
        if not urllib.request.getproxies():
            # Kaggle's package would try again and again, for more than a minute.
            socket.create_connection((_HOST, 443), timeout=_TIMEOUT_SECONDS).close()
        import kagglehub

        return pathlib.Path(kagglehub.model_download(handle.address, file))
    except Exception as error:  # of the network, of Kaggle, of the disk
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"Cannot download '{file}' of the preset '{handle.name}' from {_HOST} ({reason}). On a "
            'connected machine with kagglehub run `python -c "import kagglehub; '
            f"print(kagglehub.model_download('{handle.address}'))\"`, copy the folder that it "
            f"prints to this one, and give --backbone {EXTRA}:FOLDER."
        ) from None
