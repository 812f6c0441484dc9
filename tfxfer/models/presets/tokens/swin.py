"""Swin as a network of Keras' own layers, and its weights from a preset of KerasHub.

Tokens attend to each other within windows, every other block within shifted ones (Liu et al. 2021,
arXiv:2103.14030). Places, regions and their distances are computed in the graph, so that the file
of a model has no large constants.
"""

import pathlib
from dataclasses import dataclass
from typing import Any

import h5py
import keras

from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.foreign.arrays import numeric_arrays
from tfxfer.models.presets.tokens.vision_transformer import initializer
from tfxfer.models.presets.tokens.weights import Stored, load_layers, numbered_place

_EPSILON = 1e-5

# What is added between tokens of regions that are apart in the image.
_APART = -100.0


@dataclass(frozen=True)
class _Window:
    """The attention of a block.

    Attributes:
        heads: Their number.
        side: Of a window, in tokens.
        shift: By how many tokens windows are shifted.
        has_bias: Whether queries, keys and values have biases.
        dropout: Rate within the attention.
    """

    heads: int
    side: int
    shift: int
    has_bias: bool
    dropout: float


def swin(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a preset of Swin, with random weights.

    Its output has the shape (batch, height, width, channels). Arguments are as for
    `vision_transformer.vit`.
    """
    found = dict(settings)
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(
        found["embed_dim"],
        found["patch_size"],
        strides=found["patch_size"],
        kernel_initializer=initializer(),
        name="patches",
    )(inputs)
    if found["patch_norm"]:
        x = _norm("patch_norm")(x)
    x = _dropped(x, found["dropout_rate"], "patch_dropout")
    last = len(found["depths"])
    stages = zip(found["depths"], found["num_heads"], strict=True)
    for stage, (depth, heads) in enumerate(stages, start=1):
        for number in range(1, depth + 1):
            shift = 0 if number % 2 else found["window_size"] // 2
            if min(x.shape[1:3]) <= found["window_size"]:
                shift = 0
            window = _Window(
                heads, found["window_size"], shift, found["qkv_bias"], found["attention_dropout"]
            )
            x = _block(x, window, found, f"stage{stage}_block{number}")
        if stage < last:
            x = _merged(x, f"stage{stage}")
    return keras.Model(inputs, _norm("norm")(x), name=class_name.lower())


def _norm(name: str) -> keras.layers.LayerNormalization:
    return keras.layers.LayerNormalization(epsilon=_EPSILON, name=name)


def _dropped(x: Any, rate: float, name: str) -> Any:
    return keras.layers.Dropout(rate, name=name)(x) if rate else x


def _dense(units: int, name: str, *, use_bias: bool = True, activation: str | None = None) -> Any:
    return keras.layers.Dense(
        units, activation, use_bias=use_bias, kernel_initializer=initializer(), name=name
    )


def _block(inputs: Any, window: _Window, settings: dict[str, Any], name: str) -> Any:
    """Returns a block: attention within windows, then a perceptron."""
    height, width, channels = inputs.shape[1:]
    rate = settings["dropout_rate"]
    x = _norm(f"{name}_norm1")(inputs)
    if window.shift:
        x = _rolled(x, -window.shift)
    regions = _regions(x, window) if window.shift else None
    x, grid = _divided(x, window.side)
    x = _attention(x, regions, window, name)
    x = _dropped(x, rate, f"{name}_attention_dropout")
    x = keras.layers.Reshape((*grid, window.side, window.side * channels))(x)
    x = keras.layers.Permute((1, 3, 2, 4))(x)
    rows, columns = (number * window.side for number in grid)
    x = keras.layers.Reshape((rows, columns, channels))(x)[:, :height, :width]
    # Windows of the last rows and columns are shifted back behind them.
    if window.shift:
        x = _rolled(x, window.shift)
    attended = keras.layers.Add(name=f"{name}_sum1")([x, inputs])
    x = _norm(f"{name}_norm2")(attended)
    x = _dense(int(channels * settings["mlp_ratio"]), f"{name}_dense1", activation="gelu")(x)
    x = _dropped(x, rate, f"{name}_dense1_dropout")
    x = _dense(channels, f"{name}_dense2")(x)
    x = _dropped(x, rate, f"{name}_dense2_dropout")
    return keras.layers.Add(name=f"{name}_sum2")([x, attended])


def _rolled(x: Any, shift: int) -> Any:
    """Returns maps shifted down and to the right, what leaves them at the other side.

    LiteRT lacks the operation of `keras.ops.roll`.
    """
    for axis in (1, 2):
        cut = -shift % x.shape[axis]
        parts = (x[:, cut:], x[:, :cut]) if axis == 1 else (x[:, :, cut:], x[:, :, :cut])
        x = keras.ops.concatenate(parts, axis=axis)
    return x


def _divided(x: Any, side: int) -> tuple[Any, tuple[int, int]]:
    """Returns maps as windows, (batch, windows, side * side, channels), and how many each way.

    No tensor has more than five dimensions, which is LiteRT's limit.
    """
    height, width, channels = x.shape[1:]
    below, right = -height % side, -width % side
    if below or right:
        x = keras.layers.ZeroPadding2D(((0, below), (0, right)))(x)
    grid = ((height + below) // side, (width + right) // side)
    x = keras.layers.Reshape((grid[0], side, grid[1], side * channels))(x)
    x = keras.layers.Permute((1, 3, 2, 4))(x)
    return keras.layers.Reshape((grid[0] * grid[1], side**2, channels))(x), grid


def _regions(x: Any, window: _Window) -> Any:
    """Returns the region of each token within windows, (1, windows, side * side, 1).

    Shifting has brought regions side by side that are apart in the image.
    """
    ops = keras.ops
    ones = ops.ones_like(x[:1, :, :, :1], dtype="float32")
    total = ops.zeros_like(ones)
    for axis, factor in ((1, 3.0), (2, 1.0)):
        places = ops.cumsum(ones, axis=axis) - 1.0
        for start in (x.shape[axis] - window.side, x.shape[axis] - window.shift):
            total = total + factor * ops.cast(places >= float(start), "float32")
    return _divided(total, window.side)[0]


def _attention(x: Any, regions: Any, window: _Window, name: str) -> Any:
    """Returns what tokens attend to in their windows, (batch, windows, tokens, channels)."""
    ops, (num_windows, tokens, channels) = keras.ops, x.shape[1:]
    size = channels // window.heads
    all_three = _dense(3 * channels, f"{name}_qkv", use_bias=window.has_bias)(x)
    query, key, value = (
        ops.transpose(
            keras.layers.Reshape((num_windows, tokens, window.heads, size))(
                all_three[..., part * channels : (part + 1) * channels]
            ),
            (0, 1, 3, 2, 4),
        )
        for part in range(3)
    )
    scores = ops.matmul(query * size**-0.5, ops.transpose(key, (0, 1, 2, 4, 3)))
    scores = scores + _distances(x, window, name)
    if regions is not None:
        apart = ops.not_equal(regions, ops.transpose(regions, (0, 1, 3, 2)))
        scores = scores + _APART * ops.expand_dims(ops.cast(apart, "float32"), 2)
    weights = _dropped(ops.softmax(scores, axis=-1), window.dropout, f"{name}_weights_dropout")
    x = ops.transpose(ops.matmul(weights, value), (0, 1, 3, 2, 4))
    x = keras.layers.Reshape((num_windows, tokens, channels))(x)
    return _dense(channels, f"{name}_output")(x)


def _distances(x: Any, window: _Window, name: str) -> Any:
    """Returns what is learned for each distance of two tokens, (1, 1, heads, tokens, tokens)."""
    ops, side = keras.ops, window.side
    numbers = ops.cumsum(ops.ones_like(x[:1, 0, :, 0], dtype="int32"), axis=1) - 1
    steps = 2 * side - 1
    places = numbers // side * steps + numbers % side
    middle = (side - 1) * (steps + 1)
    pairs = ops.expand_dims(places, 2) - ops.expand_dims(places, 1) + middle
    learned = keras.layers.Embedding(
        steps**2, window.heads, embeddings_initializer=initializer(), name=f"{name}_distances"
    )(pairs)
    return ops.expand_dims(ops.transpose(learned, (0, 3, 1, 2)), 1)


def _merged(x: Any, name: str) -> Any:
    """Returns maps of half the resolution and twice the channels."""
    height, width, channels = x.shape[1:]
    if height % 2 or width % 2:
        x = keras.layers.ZeroPadding2D(((0, height % 2), (0, width % 2)))(x)
    half = ((height + 1) // 2, (width + 1) // 2)
    x = keras.layers.Reshape((half[0], 2, half[1], 2 * channels))(x)
    # Four neighbors, column by column.
    columns = (slice(None, channels), slice(channels, None))
    x = keras.ops.concatenate(
        [x[:, :, row, :, column] for column in columns for row in range(2)], axis=-1
    )
    return _dense(2 * channels, f"{name}_reduction", use_bias=False)(_norm(f"{name}_norm")(x))


def load_swin_weights(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a Swin the weights in the `.weights.h5` file of its preset.

    Args:
        model: What `swin` built of the backbone.
        backbone: Its record; the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file holds another network.
        OSError, ValueError, KeyError: It is corrupt.
    """
    settings = dict(dict(backbone.builder_arguments)["settings"])
    names = {"patches": "layers/patch_embedding/proj", "norm": "layers/layer_normalization"}
    if settings["patch_norm"]:
        names["patch_norm"] = "layers/patch_embedding/norm"
    for stage, depth in enumerate(settings["depths"]):
        place = numbered_place("layers/swin_transformer_stage", stage)
        for number in range(depth):
            block = numbered_place(f"{place}/blocks/swin_transformer_block", number)
            own = f"stage{stage + 1}_block{number + 1}"
            names |= {f"{own}_norm{one}": f"{block}/norm{one}" for one in (1, 2)}
            names |= {f"{own}_dense{one}": f"{block}/mlp/fc{one}" for one in (1, 2)}
            names |= {f"{own}_qkv": f"{block}/attn/qkv", f"{own}_output": f"{block}/attn/proj"}
            names[f"{own}_distances"] = f"{block}/attn"
        if stage + 1 < len(settings["depths"]):
            own = f"stage{stage + 1}"
            names[f"{own}_norm"] = f"{place}/downsample/norm"
            names[f"{own}_reduction"] = f"{place}/downsample/reduction"
    with h5py.File(path) as file:
        load_layers(model, Stored(numeric_arrays(file), path, {}), names)
