"""Loading the weights of a preset of KerasHub into a vision transformer of ours.

Only numbers are read from the file, whose arrays are found by their paths in it.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import h5py
import keras
import numpy as np

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.foreign.arrays import numeric_arrays

# Where KerasHub keeps what: the embedding, a block and the last normalization; and in a block.
_VIT = {
    "patches": "layers/vi_t_patching_and_embedding/patch_embedding",
    "embedding": "layers/vi_t_patching_and_embedding",
    "block": "layers/vi_t_encoder/encoder_layers/vi_t_encoder_block",
    "norm": "layers/vi_t_encoder/layer_norm",
    "norm1": "layer_norm_1",
    "norm2": "layer_norm_2",
    "attention": "mha",
    "dense1": "mlp/dense_1",
    "dense2": "mlp/dense_2",
}

_DINOV2 = {
    "patches": "layers/dinov2_embedding/patch_embeddings/projection",
    "embedding": "layers/dinov2_embedding",
    "block": "layers/dinov2_encoder/layers/dinov2_layer",
    "norm": "layers/layer_normalization",
    "norm1": "norm1",
    "norm2": "norm2",
    "attention": "attention/attention",
    "dense1": "mlp/fc1",
    "dense2": "mlp/fc2",
}

_PARTS = ("query_dense", "key_dense", "value_dense", "output_dense")


def load_token_weights(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a vision transformer the weights in the `.weights.h5` file of its preset.

    Embeddings of positions are interpolated bicubically for images of another size than those of
    the file.

    Args:
        model: What `vision_transformer` built of the backbone.
        backbone: Its record; the class and the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file holds another network.
        OSError, ValueError, KeyError: It is corrupt.
    """
    arguments = dict(backbone.builder_arguments)
    is_dino = arguments["class_name"] == "DINOV2Backbone"
    with h5py.File(path) as file:
        stored = Stored(numeric_arrays(file), path, _DINOV2 if is_dino else _VIT)
        load_layers(model, stored, {name: stored.places[name] for name in ("patches", "norm")})
        blocks = sum(layer.name.endswith("_norm1") for layer in model.layers)
        for number in range(blocks):
            _load_block(model, stored, number, scaled=is_dino)
        if is_dino:
            embeddings = _dino_embeddings(stored, dict(arguments["settings"]), model)
        else:
            embeddings = _vit_embeddings(stored, model)
    assign(model.get_layer("positions"), [embeddings])


class Stored:
    """The arrays of a file."""

    def __init__(
        self, arrays: dict[str, h5py.Dataset], path: pathlib.Path, places: dict[str, str]
    ) -> None:
        self.arrays, self.path, self.places = arrays, path, places

    def array(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """Returns an array in float32; a side None may be of any length up to 16,384."""
        found = self.arrays.get(name)
        if (
            found is None
            or found.dtype.kind != "f"
            or len(found.shape) != len(shape)
            or any(
                side > 16_384 if wanted is None else side != wanted
                for side, wanted in zip(found.shape, shape, strict=True)
            )
        ):
            raise WeightsError(
                f"The weights in '{self.path}' do not fit: the network has an array '{name}' of "
                f"shape {shape}, the file {'none' if found is None else f'has {found.shape}'}."
            )
        return np.asarray(found[()], "float32")

    def layer(self, place: str, layer: keras.layers.Layer) -> list[np.ndarray]:
        """Returns the weights of a layer."""
        return [
            self.array(f"{place}/vars/{number}", tuple(weight.shape))
            for number, weight in enumerate(layer.weights)
        ]


def numbered_place(place: str, number: int) -> str:
    """Returns where Keras keeps the layer of this number, from 0, among those of one name.

    Examples:
        >>> numbered_place("layers/block", 0), numbered_place("layers/block", 2)
        ('layers/block', 'layers/block_2')
    """
    return f"{place}_{number}" if number else place


def load_layers(model: keras.Model, stored: Stored, places: Mapping[str, str]) -> None:
    """Gives layers their weights in a file.

    Args:
        model: The network.
        stored: The arrays of the file.
        places: Where each layer is in the file, by its name in the network.
    """
    for name, place in places.items():
        layer = model.get_layer(name)
        if isinstance(layer, keras.layers.MultiHeadAttention):
            for part, inner in attention_parts(layer):
                assign(inner, stored.layer(f"{place}/{part}", inner))
        else:
            assign(layer, stored.layer(place, layer))


def _load_block(model: keras.Model, stored: Stored, number: int, *, scaled: bool) -> None:
    """Loads a block, the residual branches of which may be scaled."""
    places = stored.places
    block = numbered_place(places["block"], number)
    layers = {
        name: model.get_layer(f"block{number + 1}_{name}")
        for name in ("norm1", "attention", "norm2", "dense1", "dense2")
    }
    for name in ("norm1", "norm2", "dense1"):
        assign(layers[name], stored.layer(f"{block}/{places[name]}", layers[name]))
    attention = attention_parts(layers["attention"])
    values = [
        stored.layer(f"{block}/{places['attention']}/{part}", layer) for part, layer in attention
    ]
    last = stored.layer(f"{block}/{places['dense2']}", layers["dense2"])
    if scaled:
        # (channels,), the last dimension of kernels and biases.
        width = (last[0].shape[-1],)
        first_scale = stored.array(f"{block}/layer_scale1/vars/0", width)
        values[-1] = [value * first_scale for value in values[-1]]
        last_scale = stored.array(f"{block}/layer_scale2/vars/0", width)
        last = [value * last_scale for value in last]
    for (_, layer), some in zip(attention, values, strict=True):
        assign(layer, some)
    assign(layers["dense2"], last)


def attention_parts(layer: keras.layers.Layer) -> list[tuple[str, keras.layers.Layer]]:
    """Returns the layers inside an attention, each with its name in a file."""
    return [(part, getattr(layer, f"_{part}")) for part in _PARTS]


def _vit_embeddings(stored: Stored, model: keras.Model) -> np.ndarray:
    """Returns class token and positions, (1 + patches, channels)."""
    count, width = model.get_layer("positions").embeddings.shape
    place = stored.places["embedding"]
    positions = stored.array(f"{place}/position_embedding/vars/0", (None, width))
    token = stored.array(f"{place}/vars/0", (1, 1, width))[0, 0]
    patches = resized_positions(positions[1:], count - 1, antialias=True, path=stored.path)
    return np.concatenate([positions[:1] + token, patches])


def _dino_embeddings(stored: Stored, settings: dict[str, Any], model: keras.Model) -> np.ndarray:
    """Returns class token, register tokens and positions, (tokens, channels).

    Positions are the last of the arrays, behind what KerasHub interpolates from them.
    """
    count, width = model.get_layer("positions").embeddings.shape
    place, registers = stored.places["embedding"], int(settings["num_register_tokens"])
    number = 1 + bool(settings["use_mask_token"])
    extra = np.zeros((0, width), "float32")
    if registers:
        extra = stored.array(f"{place}/vars/{number}", (1, registers, width))[0]
        number += 1
    token = stored.array(f"{place}/vars/0", (1, 1, width))[0, 0]
    positions = stored.array(f"{place}/vars/{number + 1}", (1, None, width))[0]
    patches = resized_positions(
        positions[1:],
        count - 1 - registers,
        antialias=settings["antialias_in_interpolation"],
        path=stored.path,
    )
    return np.concatenate([positions[:1] + token, extra, patches])


def resized_positions(
    positions: np.ndarray, count: int, *, antialias: bool, path: pathlib.Path
) -> np.ndarray:
    """Returns positions of a square grid for a square grid of another number of patches.

    Args:
        positions: (patches, channels).
        count: The other number.
        antialias: Whether those of a larger grid are smoothed first.
        path: Of the file, for the message.

    Raises:
        WeightsError: The positions are no square.
    """
    if len(positions) == count:
        return positions
    old, new = round(len(positions) ** 0.5), round(count**0.5)
    if old * old != len(positions) or not old:
        raise WeightsError(
            f"The weights in '{path}' do not fit: {len(positions)} positions are no square."
        )
    grid = positions.reshape(1, old, old, -1)
    resized = keras.ops.image.resize(
        grid, (new, new), interpolation="bicubic", antialias=antialias, data_format="channels_last"
    )
    return np.asarray(resized).reshape(count, -1)


def assign(layer: keras.layers.Layer, values: list[np.ndarray]) -> None:
    """Gives a layer its weights, which have the right shapes."""
    for variable, value in zip(layer.weights, values, strict=True):
        variable.assign(value)
