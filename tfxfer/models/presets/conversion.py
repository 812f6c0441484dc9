"""Loading weights of presets, timm and transformers into a network."""

import contextlib
import importlib
import io
import pathlib
import types
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.presets.blocks.families import BUILDER as OPENED
from tfxfer.models.presets.blocks.weights import load_block_weights, take_weights
from tfxfer.models.presets.network import class_network
from tfxfer.models.presets.plain.weights import load_plain_weights
from tfxfer.models.presets.safetensors import TensorFile
from tfxfer.models.presets.timm import ARCHITECTURES
from tfxfer.models.presets.tokens.dinov3 import load_dinov3_weights
from tfxfer.models.presets.tokens.siglip import load_siglip_weights
from tfxfer.models.presets.tokens.swin import load_swin_weights
from tfxfer.models.presets.tokens.timm_weights import load_timm_tokens
from tfxfer.models.presets.tokens.transformers import KIND
from tfxfer.models.presets.tokens.transformers_weights import load_transformers
from tfxfer.models.presets.tokens.weights import load_token_weights

Change = Callable[[np.ndarray, list[int]], np.ndarray]


def load_tensors(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a network the weights in a `.safetensors` file of timm or transformers.

    Args:
        model: What `preset_network` built of the backbone.
        backbone: Its record; the architecture and the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file is corrupt, or holds another network.
    """
    if backbone.preset_architecture.startswith(KIND):
        load_transformers(model, backbone, path)
        return
    architecture = ARCHITECTURES[backbone.preset_architecture]
    if not architecture.converter:
        has_patches = architecture.family.has_patches
        (load_timm_tokens if has_patches else load_plain_weights)(model, backbone, path)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = importlib.import_module(f"keras_hub.src.utils.timm.{architecture.converter}")
    loader, is_opened = _Loader(path), architecture.family.builder == OPENED
    source: Any
    if is_opened:
        source = class_network(model.input_shape[1:], **dict(backbone.builder_arguments))
    else:
        # What converters read of a network: its layers by name, and its settings.
        source = types.SimpleNamespace(
            get_layer=model.get_layer,
            layers=model.layers,
            weights=model.weights,
            **architecture.settings,
        )
    with contextlib.redirect_stdout(io.StringIO()):  # one prints each name
        converter.convert_weights(source, loader, {"architecture": backbone.preset_architecture})
    missing = [one.path for one in source.weights if id(one) not in loader.loaded]
    if missing:
        raise WeightsError(
            f"The weights in '{path}' do not fill backbone '{backbone.name}': nothing for "
            f"'{missing[0]}'."
        )
    if is_opened:
        take_weights(model, source)


def load_preset_file(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a network that was rebuilt the weights in the `.weights.h5` file of its preset.

    Args:
        model: The network.
        backbone: Its record.
        path: Of the file.

    Raises:
        WeightsError: The file holds another network.
        OSError, ValueError, KeyError: It is corrupt.
    """
    class_name = dict(backbone.builder_arguments)["class_name"]
    load = {
        "DINOV3Backbone": load_dinov3_weights,
        "SigLIPVisionEncoder": load_siglip_weights,
        "SwinTransformerBackbone": load_swin_weights,
        "ViTBackbone": load_token_weights,
        "DINOV2Backbone": load_token_weights,
    }.get(class_name, load_block_weights)
    load(model, backbone, path)


class _Loader:
    """Takes the place of KerasHub's reader of tensors."""

    def __init__(self, path: pathlib.Path) -> None:
        self.file = TensorFile(path)
        self.loaded: set[int] = set()

    def port_weight(
        self, keras_variable: Any, hf_weight_key: str, hook_fn: Change | None = None
    ) -> None:
        """Gives a variable the tensor of a name, changed as a converter wants it."""
        shape = self.file.shape(hf_weight_key)
        wanted = tuple(keras_variable.shape)
        # Converters transpose tensors: sizes are compared before one is read, shapes after.
        if shape is None or np.prod(shape) != np.prod(wanted):
            raise WeightsError(
                f"The weights in '{self.file.path}' do not fit: '{keras_variable.path}' has shape "
                f"{wanted}, '{hf_weight_key}' in the file {shape or 'is missing'}."
            )
        value = self.file.read(hf_weight_key, shape)
        if not wanted:  # a single number, of which PyTorch has a vector
            value = value.reshape(())
        if hook_fn:
            # It fails for a tensor of other dimensions, which is told below.
            with contextlib.suppress(ValueError, AssertionError):
                value = hook_fn(value, list(wanted))
        if value.shape != wanted:
            raise WeightsError(
                f"The weights in '{self.file.path}' do not fit: '{keras_variable.path}' has shape "
                f"{wanted}, '{hf_weight_key}' in the file {shape}."
            )
        keras_variable.assign(value)
        self.loaded.add(id(keras_variable))
