"""Loading the weights of timm into a vision transformer of ours."""

import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.presets.safetensors import TensorFile
from tfxfer.models.presets.tokens.weights import assign, resized_positions


def load_timm_tokens(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a vision transformer the weights in a `.safetensors` file of timm.

    Args:
        model: What `vision_transformer` built of the backbone.
        backbone: Its record; the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file is corrupt, or holds another network.
    """
    file, settings = TensorFile(path), dict(dict(backbone.builder_arguments)["settings"])
    width = load_patches(model, file, "patch_embed.proj")
    for number in range(settings["num_layers"]):
        _load_block(model, file, number, settings)
    assign(model.get_layer("norm"), norm(file, "norm", width))
    assign(model.get_layer("positions"), [_embeddings(file, model, settings)])


def _load_block(model: keras.Model, file: TensorFile, number: int, settings: Any) -> None:
    """Loads a block, whose residual branches are scaled if the file says so (`ls1`, `ls2`)."""
    name, width, heads = f"blocks.{number}", settings["hidden_dim"], settings["num_heads"]
    layers = {
        key: model.get_layer(f"block{number + 1}_{key}")
        for key in ("norm1", "attention", "norm2", "dense1", "dense2")
    }
    scales = [
        file.read(f"{name}.{key}.gamma", (width,))
        if settings.get("layer_scale_init_value") is not None
        else np.ones(width, "float32")
        for key in ("ls1", "ls2")
    ]
    # The rows are those of queries, keys and values, each of all heads.
    kernels = file.read(f"{name}.attn.qkv.weight", (3 * width, width)).reshape(3, heads, -1, width)
    biases = file.read(f"{name}.attn.qkv.bias", (3 * width,)).reshape(3, heads, -1)
    output = file.read(f"{name}.attn.proj.weight", (width, width)).T * scales[0]
    values = [*zip(kernels.transpose(0, 3, 1, 2), biases, strict=True)]
    bias = file.read(f"{name}.attn.proj.bias", (width,)) * scales[0]
    values.append((output.reshape(heads, -1, width), bias))
    # Query, key, value and output, a kernel and a bias each.
    assign(layers["attention"], by_part(layers["attention"], values))
    places = {"norm1": "norm1", "norm2": "norm2", "dense1": "mlp.fc1", "dense2": "mlp.fc2"}
    load_rest(layers, file, {key: f"{name}.{place}" for key, place in places.items()}, scales[1])


def load_patches(model: keras.Model, file: TensorFile, name: str) -> int:
    """Gives the first layer its weights, those of a convolution of PyTorch; returns its width."""
    patches = model.get_layer("patches")
    side, _, _, width = patches.kernel.shape
    kernel = file.read(f"{name}.weight", (width, 3, side, side))
    assign(patches, [kernel.transpose(2, 3, 1, 0), file.read(f"{name}.bias", (width,))])
    return int(width)


def load_rest(
    layers: Mapping[str, keras.layers.Layer],
    file: TensorFile,
    places: Mapping[str, str],
    scale: np.ndarray,
) -> None:
    """Gives the layers of a block, but for its attention, their weights.

    Args:
        layers: By name: "norm1", "norm2", "dense1" and "dense2".
        file: The file.
        places: Where each is in the file.
        scale: Of the second residual branch, (width,).
    """
    width, hidden = len(scale), layers["dense1"].units
    assign(layers["dense1"], dense(file, places["dense1"], width, hidden))
    last = dense(file, places["dense2"], hidden, width)
    assign(layers["dense2"], [value * scale for value in last])
    for key in ("norm1", "norm2"):
        assign(layers[key], norm(file, places[key], width))


def read_positions(file: TensorFile, name: str, width: int) -> np.ndarray:
    """Returns embeddings of positions, of any number, (positions, width)."""
    shape = file.shape(name) or ()
    positions: np.ndarray = file.read(name, (1, shape[1] if len(shape) == 3 else 0, width))[0]
    return positions


def by_part(attention: Any, values: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Returns kernels and biases in the order of the weights of an attention layer."""
    parts = ("query", "key", "value", "attention_output")
    named = {
        f"{part}/{kind}": value
        for part, pair in zip(parts, values, strict=True)
        for kind, value in zip(("kernel", "bias"), pair, strict=True)
    }
    return [named["/".join(one.path.split("/")[-2:])] for one in attention.weights]


def dense(file: TensorFile, name: str, inputs: int, outputs: int) -> list[np.ndarray]:
    """Returns the kernel, (inputs, outputs), and the bias of a linear layer of PyTorch."""
    kernel = file.read(f"{name}.weight", (outputs, inputs)).T
    return [kernel, file.read(f"{name}.bias", (outputs,))]


def norm(file: TensorFile, name: str, width: int) -> list[np.ndarray]:
    """Returns scale and offset of a layer normalization of PyTorch, (width,) each."""
    return [file.read(f"{name}.{part}", (width,)) for part in ("weight", "bias")]


def _embeddings(file: TensorFile, model: keras.Model, settings: Any) -> np.ndarray:
    """Returns class token, register tokens and positions, (tokens, channels).

    With register tokens, timm has no position of the class token.
    """
    count, width = model.get_layer("positions").embeddings.shape
    registers = int(settings.get("num_register_tokens", 0))
    token = file.read("cls_token", (1, 1, width))[0]
    positions = read_positions(file, "pos_embed", width)
    extra = np.zeros((0, width), "float32")
    if registers:
        extra = file.read("reg_token", (1, registers, width))[0]
    else:
        token, positions = token + positions[:1], positions[1:]
    patches = resized_positions(positions, count - 1 - registers, antialias=True, path=file.path)
    return np.concatenate([token, extra, patches])
