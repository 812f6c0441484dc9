"""Tells whether data are texts, and whether a model takes texts. Reads little, imports little."""

import itertools
import json
import os
import pathlib
import re
import tomllib
import zipfile
from typing import Any

from tfxfer.system.run_layout import FACTS_FILE, RunDirectory
from tfxfer.text.models.backbones import BACKBONES, PREFIX, is_text_backbone

TABLE_SUFFIXES, LINES_SUFFIXES = (".csv", ".tsv"), (".jsonl", ".ndjson")

# How the assets of an export say what it takes.
MODALITY = "text"

# Columns of a manifest that lists files.
_FILES = {"path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path"}

_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}

# Datasets of TFDS whose examples are texts with a class, even if they are not prepared yet.
_TFDS_TEXTS = {"imdb_reviews", "ag_news_subset", "yelp_polarity_reviews", "sentiment140"}

# Files that are looked at in a folder, and bytes of a manifest.
_SOME_FILES, _SOME_BYTES = 200, 1 << 16


def holds_texts(data: str, data_dir: str | None = None) -> bool:
    """Tells whether data are texts.

    These are folders of `.txt` files, manifests with a `text` column, Hugging Face datasets on the
    disk, and TFDS datasets that are prepared or known to be of texts.

    Args:
        data: The setting `data`.
        data_dir: The setting `data_dir`.
    """
    if not data:
        return False
    try:
        path = pathlib.Path(data).expanduser()
        if path.is_dir():
            kinds = _kinds_in_library(path)
            return _are_of_texts(kinds) if kinds else _folder_holds_texts(path)
        if path.is_file():
            return _manifest_holds_texts(path)
        return _tfds_holds_texts(data.partition("?")[0], data_dir)
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL, of an unknown user
        return False


def _kinds_in_library(folder: pathlib.Path) -> set[str]:
    """Returns the kinds of columns of a dataset of TFDS or of Hugging Face; none of others."""
    if (folder / "features.json").is_file():  # of TFDS
        columns = json.loads((folder / "features.json").read_text("utf-8"))
        found = columns.get("featuresDict", {}).get("features", {}).values()
        return {str(one.get("pythonClassName", "")).rpartition(".")[2] for one in found}
    info = next(iter(sorted(folder.glob("*/dataset_info.json"))), folder / "dataset_info.json")
    if not info.is_file():
        return set()
    columns = json.loads(info.read_text("utf-8")).get("features") or {}
    return {"Text" if one.get("dtype") == "string" else one["_type"] for one in columns.values()}


def _are_of_texts(kinds: set[str]) -> bool:
    return "Text" in kinds and not kinds & {"Image", "Video", "Audio"}


def _tfds_holds_texts(name: str, data_dir: str | None) -> bool:
    """Tells whether a TFDS dataset is known to be of texts, or prepared and of texts."""
    base, *configuration = re.split("[/:]", name)
    if base in _TFDS_TEXTS:
        return True
    place = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    folder = pathlib.Path(place).expanduser() / base
    # A version, or a configuration with its versions.
    depths = (f"{part}features.json" for part in ("*/", "*/*/"))
    prepared = [one for depth in depths for one in sorted(folder.glob(depth))]
    named = [one for one in prepared if set(configuration) <= set(one.parts)]
    return bool(named) and _are_of_texts(_kinds_in_library(named[-1].parent))


def _folder_holds_texts(root: pathlib.Path) -> bool:
    """Tells whether the folders of a folder, or those inside, have texts and no images."""
    folders = _folders_in(root)
    folders += [inner for folder in folders for inner in _folders_in(folder)]
    texts = images = 0
    for folder in folders[:_SOME_FILES]:
        for entry in _some_of(folder):
            suffix = os.path.splitext(entry.name)[1].lower()
            texts += suffix == ".txt"
            images += suffix in _IMAGES
    return texts > images


def _folders_in(folder: str | pathlib.Path) -> list[str]:
    """Returns some folders of a folder, which may hold a million files."""
    return sorted(entry.path for entry in _some_of(folder) if entry.is_dir())


def _some_of(folder: str | pathlib.Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(itertools.islice(entries, _SOME_FILES))


def _manifest_holds_texts(path: pathlib.Path) -> bool:
    """Tells whether a manifest has a column or field `text`, and none that names files."""
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES + LINES_SUFFIXES:
        return False
    with path.open("rb") as file:
        start = file.read(_SOME_BYTES).decode("utf-8-sig", "replace")
    line = next((line for line in start.splitlines() if line.strip()), "")
    if suffix in LINES_SUFFIXES:
        # The first line may be longer than what was read.
        return '"text"' in line and not any(f'"{name}"' in line for name in _FILES)
    for delimiter in ",;\t":
        names = {name.strip().strip('"').lower() for name in line.split(delimiter)}
        if "text" in names:
            return not names & _FILES
    return False


def takes_texts(model: str | os.PathLike[str]) -> bool:
    """Tells whether a model takes texts.

    Args:
        model: A run's directory, a `.keras` file, or a SavedModel; it may not exist.
    """
    try:
        path = pathlib.Path(model).expanduser()
        if path.is_file():
            return _file_takes_texts(path)
        if (path / "config.toml").is_file():
            return _run_takes_texts(path)
        versions = [one for one in path.glob("*") if one.name.isdecimal()]
        exports = [path, *sorted(versions, key=lambda one: int(one.name))[-1:]]
        facts = [one / "assets" / FACTS_FILE for one in exports]
        return any(
            json.loads(one.read_text("utf-8")).get("modality") == MODALITY
            for one in facts
            if one.is_file()
        )
    except (OSError, ValueError, RuntimeError, AttributeError):
        return False


def _run_takes_texts(path: pathlib.Path) -> bool:
    """Tells whether a run is on texts; a directory that its backbone came from may be gone."""
    name = str(_settings(path / "config.toml").get("backbone"))
    if name.lower().startswith(PREFIX):
        return _file_takes_texts(RunDirectory(path).model) or is_text_backbone(name)
    return name in BACKBONES


def _settings(path: pathlib.Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8-sig"))


def _file_takes_texts(path: pathlib.Path) -> bool:
    """Tells whether a `.keras` file has an input of strings."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            return False
        config = json.loads(archive.read("config.json"))
    layers = config.get("config", {}).get("layers", [])
    inputs = [layer for layer in layers if layer.get("class_name") == "InputLayer"]
    return any(layer["config"].get("dtype") == "string" for layer in inputs)
