"""DINOv3 as a network of Keras' own layers, and its weights from a preset of KerasHub.

Its queries and keys are rotated by the places of the patches instead of embeddings of positions
being added (Su et al. 2021, arXiv:2104.09864), so `MultiHeadAttention` cannot be used.
"""

import pathlib
from typing import Any

import h5py
import keras
import numpy as np

from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.foreign.arrays import numeric_arrays
from tfxfer.models.presets.tokens.vision_transformer import (
    Sizes,
    embedded_patches,
    initializer,
    split_tokens,
)
from tfxfer.models.presets.tokens.weights import Stored, assign, load_layers, numbered_place

_PARTS = ("query", "key", "value")

_PLACES = {"embedding": "layers/dinov3_embedding", "block": "layers/dinov3_encoder/layers"}


def dinov3(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a preset of DINOv3, with random weights.

    Its output is as that of `vision_transformer.vit`, and so are the arguments.
    """
    found = dict(settings)
    sizes = Sizes(
        patch=found["patch_size"],
        blocks=found["num_layers"],
        heads=found["num_heads"],
        width=found["hidden_dim"],
        mlp_width=found["intermediate_dim"],
        extra_tokens=1 + int(found["num_register_tokens"]),
        epsilon=found["layer_norm_eps"],
        places=False,
    )
    inputs = keras.Input(input_shape)
    x = embedded_patches(inputs, sizes)
    for number in range(1, sizes.blocks + 1):
        x = _block(x, sizes, found, f"block{number}")
    x = keras.layers.LayerNormalization(epsilon=sizes.epsilon, name="norm")(x)
    return keras.Model(inputs, split_tokens(x, sizes), name=class_name.lower())


def _block(inputs: Any, sizes: Sizes, settings: dict[str, Any], name: str) -> Any:
    x = keras.layers.LayerNormalization(epsilon=sizes.epsilon, name=f"{name}_norm1")(inputs)
    x = _attention(x, sizes, settings, name)
    attended = keras.layers.Add(name=f"{name}_sum1")([x, inputs])
    x = keras.layers.LayerNormalization(epsilon=sizes.epsilon, name=f"{name}_norm2")(attended)
    has_bias, activation = settings["use_mlp_bias"], settings["hidden_activation"]
    is_gated = settings["use_gated_mlp"]
    hidden = _dense(sizes.mlp_width, has_bias, f"{name}_dense1", None if is_gated else activation)
    hidden = hidden(x)
    if is_gated:
        gate = _dense(sizes.mlp_width, has_bias, f"{name}_gate", activation)(x)
        hidden = keras.layers.Multiply(name=f"{name}_gated")([gate, hidden])
    x = _dense(sizes.width, has_bias, f"{name}_dense2")(hidden)
    return keras.layers.Add(name=f"{name}_sum2")([x, attended])


def _dense(units: int, has_bias: bool, name: str, activation: str | None = None) -> Any:
    return keras.layers.Dense(
        units, activation, use_bias=has_bias, kernel_initializer=initializer(), name=name
    )


def _attention(x: Any, sizes: Sizes, settings: dict[str, Any], name: str) -> Any:
    """Returns what the tokens attend to, (batch, tokens, channels)."""
    tokens, shape = x.shape[1], (x.shape[1], sizes.heads, sizes.width // sizes.heads)
    query, key, value = (
        keras.layers.Reshape(shape, name=f"{name}_{part}_heads")(
            _dense(sizes.width, settings[f"use_{part}_bias"], f"{name}_{part}")(x)
        )
        for part in _PARTS
    )
    cosine, sine = _rotation(x, sizes, settings["rope_theta"])
    query, key = (_rotated(one, cosine, sine, sizes.extra_tokens) for one in (query, key))
    x = keras.ops.dot_product_attention(query, key, value)
    x = keras.layers.Reshape((tokens, sizes.width), name=f"{name}_attended")(x)
    if settings["attention_dropout"]:
        x = keras.layers.Dropout(settings["attention_dropout"], name=f"{name}_dropout")(x)
    return _dense(sizes.width, settings["use_proj_bias"], f"{name}_output")(x)


def _rotation(x: Any, sizes: Sizes, theta: float) -> tuple[Any, Any]:
    """Returns cosine and sine of the angles of each patch, (batch, patches, 1, channels of a head).

    Half of the channels turn with the row, half with the column, both from -1 to 1 over the image.
    They are computed in each block, so that the block takes one tensor.
    """
    ops, channels = keras.ops, sizes.width // sizes.heads
    grid = round((x.shape[1] - sizes.extra_tokens) ** 0.5)
    ones = ops.ones_like(x[:, sizes.extra_tokens :, 0], dtype="float32")
    numbers = ops.cumsum(ones, axis=1) - 1.0
    rows = ops.floor((numbers + 0.5) / grid)
    frequencies = 2 * np.pi * theta ** -np.arange(0, 1, 4 / channels)
    angles = [
        ops.expand_dims((place + 0.5) * (2.0 / grid) - 1.0, -1) * frequencies.astype("float32")
        for place in (rows, numbers - rows * grid)
    ]
    both = ops.expand_dims(ops.concatenate(angles * 2, axis=-1), 2)
    return ops.cos(both), ops.sin(both)


def _rotated(heads: Any, cosine: Any, sine: Any, extra_tokens: int) -> Any:
    """Returns queries or keys, (batch, tokens, heads, channels), those of patches rotated."""
    ops, half = keras.ops, heads.shape[-1] // 2
    patches = heads[:, extra_tokens:]
    turned = ops.concatenate([-patches[..., half:], patches[..., :half]], axis=-1)
    return ops.concatenate([heads[:, :extra_tokens], patches * cosine + turned * sine], axis=1)


def load_dinov3_weights(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a DINOv3 the weights in the `.weights.h5` file of its preset.

    The scales of residual branches are multiplied into the layers before them.

    Args:
        model: What `dinov3` built of the backbone.
        backbone: Its record; the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file holds another network.
        OSError, ValueError, KeyError: It is corrupt.
    """
    settings = dict(dict(backbone.builder_arguments)["settings"])
    width, registers = settings["hidden_dim"], int(settings["num_register_tokens"])
    with h5py.File(path) as file:
        stored = Stored(numeric_arrays(file), path, _PLACES)
        place = _PLACES["embedding"]
        patches = f"{place}/patch_embeddings/projection"
        load_layers(model, stored, {"patches": patches, "norm": "layers/layer_normalization"})
        tokens = [stored.array(f"{place}/vars/0", (1, 1, width))[0]]
        if registers:
            number = 1 + bool(settings["use_mask_token"])
            tokens.append(stored.array(f"{place}/vars/{number}", (1, registers, width))[0])
        # Patches have no token of their own.
        assign(model.get_layer("positions"), [np.concatenate([*tokens, np.zeros((1, width))])])
        for number in range(settings["num_layers"]):
            _load_block(model, stored, number, bool(settings["use_gated_mlp"]))


def _load_block(model: keras.Model, stored: Stored, number: int, is_gated: bool) -> None:
    place = numbered_place(f"{_PLACES['block']}/dinov3_layer", number)
    names = {
        "norm1": "norm1",
        "norm2": "norm2",
        **{part: f"attention/{part}_dense" for part in (*_PARTS, "output")},
        "dense1": "mlp/up_proj",
        "dense2": "mlp/down_proj",
        **({"gate": "mlp/gate_proj"} if is_gated else {}),
    }
    scales = {"output": "layer_scale1", "dense2": "layer_scale2"}
    for name, theirs in names.items():
        layer = model.get_layer(f"block{number + 1}_{name}")
        values = stored.layer(f"{place}/{theirs}", layer)
        if name in scales:
            scale = stored.array(f"{place}/{scales[name]}/vars/0", (values[0].shape[-1],))
            values = [value * scale for value in values]
        assign(layer, values)
