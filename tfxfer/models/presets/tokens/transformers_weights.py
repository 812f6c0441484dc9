"""Loading the weights of Hugging Face's transformers into a vision transformer of ours."""

import pathlib
from typing import Any

import keras
import numpy as np

from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.presets.safetensors import TensorFile
from tfxfer.models.presets.tokens.timm_weights import (
    by_part,
    dense,
    load_patches,
    load_rest,
    norm,
    read_positions,
)
from tfxfer.models.presets.tokens.weights import assign, resized_positions

# What the parts of a block are called.
_VIT = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "dense1": "intermediate.dense",
    "dense2": "output.dense",
}

_DINOV2 = {"norm1": "norm1", "norm2": "norm2", "dense1": "mlp.fc1", "dense2": "mlp.fc2"}


def load_transformers(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a vision transformer the weights in a `.safetensors` file of transformers.

    Args:
        model: What `vision_transformer` built of the backbone.
        backbone: Its record; the class and the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file is corrupt, or holds another network.
    """
    arguments = dict(backbone.builder_arguments)
    settings, is_dino = dict(arguments["settings"]), arguments["class_name"] == "DINOV2Backbone"
    file = TensorFile(path)
    prefix = _prefix(file)
    width = load_patches(model, file, f"{prefix}embeddings.patch_embeddings.projection")
    for number in range(settings["num_layers"]):
        _load_block(model, file, (f"{prefix}encoder.layer.{number}", number), settings, is_dino)
    assign(model.get_layer("norm"), norm(file, f"{prefix}layernorm", width))
    assign(model.get_layer("positions"), [_embeddings(file, prefix, model, settings)])


def _prefix(file: TensorFile) -> str:
    """Returns what stands before the names of tensors: nothing, or that of a larger model."""
    for prefix in ("", "vit.", "dinov2.", "dinov2_with_registers."):
        if file.shape(f"{prefix}embeddings.cls_token"):
            return prefix
    return ""


def _load_block(
    model: keras.Model,
    file: TensorFile,
    place: tuple[str, int],
    settings: dict[str, Any],
    is_dino: bool,
) -> None:
    """Loads a block; `place` is its name in the file and its number from 0."""
    (name, number), names = place, _DINOV2 if is_dino else _VIT
    width, heads = settings["hidden_dim"], settings["num_heads"]
    scales = [
        file.read(f"{name}.layer_scale{branch}.lambda1", (width,)) if is_dino else np.ones(width)
        for branch in (1, 2)
    ]
    layers = {key: model.get_layer(f"block{number + 1}_{key}") for key in (*names, "attention")}
    values = []
    for part in ("query", "key", "value"):
        kernel, bias = dense(file, f"{name}.attention.attention.{part}", width, width)
        values.append((kernel.reshape(width, heads, -1), bias.reshape(heads, -1)))
    kernel, bias = dense(file, f"{name}.attention.output.dense", width, width)
    values.append(((kernel * scales[0]).reshape(heads, -1, width), bias * scales[0]))
    assign(layers["attention"], by_part(layers["attention"], values))
    load_rest(layers, file, {key: f"{name}.{place}" for key, place in names.items()}, scales[1])


def _embeddings(
    file: TensorFile, prefix: str, model: keras.Model, settings: dict[str, Any]
) -> np.ndarray:
    """Returns class token, register tokens and positions, (tokens, channels)."""
    count, width = model.get_layer("positions").embeddings.shape
    registers = int(settings.get("num_register_tokens", 0))
    positions = read_positions(file, f"{prefix}embeddings.position_embeddings", width)
    token = file.read(f"{prefix}embeddings.cls_token", (1, 1, width))[0] + positions[:1]
    extra = np.zeros((0, width), "float32")
    if registers:
        extra = file.read(f"{prefix}embeddings.register_tokens", (1, registers, width))[0]
    patches = resized_positions(
        positions[1:],
        count - 1 - registers,
        antialias=bool(settings.get("antialias_in_interpolation", True)),
        path=file.path,
    )
    return np.concatenate([token, extra, patches])
