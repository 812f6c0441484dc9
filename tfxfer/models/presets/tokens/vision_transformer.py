"""ViT and DINOv2 as networks of Keras' own layers.

KerasHub's have layers of their own, whose files need KerasHub and in 0.32.0 do not all load. These
compute the same, and their files load with Keras alone. Class token, register tokens and positions
are one embedding: what is added to an empty token is its content. The scales of DINOv2's residual
branches are multiplied into the layers before them when weights are loaded.
"""

from dataclasses import dataclass
from typing import Any

import keras

from tfxfer.models.presets.tokens.families import patch_size


@dataclass(frozen=True)
class Sizes:
    """The sizes of a vision transformer.

    Attributes:
        patch: Side of a patch in pixels.
        blocks: Their number.
        heads: Of the attention.
        width: Channels of a token.
        mlp_width: Hidden units of the perceptron in a block.
        extra_tokens: The class token, and register tokens.
        epsilon: Of the layer normalization.
        dropout: Rate after each part of a block.
        attention_dropout: Rate within the attention.
        patch_bias, attention_bias, mlp_bias: Whether these layers have biases.
        places: Whether each patch has an embedding of its position; else all patches have one.
        approximate: Whether GELU is computed by the hyperbolic tangent.
    """

    patch: int
    blocks: int
    heads: int
    width: int
    mlp_width: int
    extra_tokens: int = 1
    epsilon: float = 1e-6
    dropout: float = 0.0
    attention_dropout: float = 0.0
    patch_bias: bool = True
    attention_bias: bool = True
    mlp_bias: bool = True
    places: bool = True
    approximate: bool = False


def vit(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a preset of ViT, with random weights.

    Its output has the shape (batch, height, width, 2 * channels): at each patch its token, behind
    the class token, which is the same at all patches. The average is both tokens side by side, as
    DINOv2's linear classifiers take them (Oquab et al. 2023, arXiv:2304.07193, appendix B.3).

    Args:
        input_shape: (height, width, 3) of images, scaled as the preset says. What exceeds a
            multiple of the patch size is cropped.
        class_name: Of the network, in `keras_hub.models`.
        settings: Of the network, each checked.
    """
    found = dict(settings)
    sizes = Sizes(
        patch=patch_size(found),
        blocks=found["num_layers"],
        heads=found["num_heads"],
        width=found["hidden_dim"],
        mlp_width=found["mlp_dim"],
        epsilon=found["layer_norm_epsilon"],
        dropout=found["dropout_rate"],
        attention_dropout=found["attention_dropout"],
        patch_bias=found["use_patch_bias"],
        attention_bias=found["use_mha_bias"],
        mlp_bias=found["use_mlp_bias"],
    )
    return _network(input_shape, sizes, class_name)


def dinov2(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a preset of DINOv2, with random weights; arguments are as for `vit`.

    There are no register tokens in the output.
    """
    found = dict(settings)
    sizes = Sizes(
        patch=patch_size(found),
        blocks=found["num_layers"],
        heads=found["num_heads"],
        width=found["hidden_dim"],
        mlp_width=found["intermediate_dim"],
        extra_tokens=1 + int(found["num_register_tokens"]),
        dropout=found["dropout_rate"],
        attention_dropout=found["dropout_rate"],
    )
    return _network(input_shape, sizes, class_name)


def _network(input_shape: tuple[int, int, int], sizes: Sizes, name: str) -> keras.Model:
    inputs = keras.Input(input_shape)
    x = embedded_patches(inputs, sizes)
    for number in range(1, sizes.blocks + 1):
        x = block(x, sizes, f"block{number}")
    x = keras.layers.LayerNormalization(epsilon=sizes.epsilon, name="norm")(x)
    return keras.Model(inputs, split_tokens(x, sizes), name=name.lower())


def embedded_patches(inputs: Any, sizes: Sizes) -> Any:
    """Returns the tokens of images, with their positions, (batch, tokens, channels).

    Args:
        inputs: Images, (batch, side, side, 3).
        sizes: Of the network.
    """
    side, x = inputs.shape[1], inputs
    grid = side // sizes.patch
    if rest := side % sizes.patch:
        sides = (rest // 2, rest - rest // 2)
        # Not `CenterCrop`, behind which Keras takes every layer for training by default.
        x = keras.layers.Cropping2D((sides, sides), name="crop")(x)
    x = keras.layers.Conv2D(
        sizes.width,
        sizes.patch,
        strides=sizes.patch,
        use_bias=sizes.patch_bias,
        kernel_initializer=initializer(),
        name="patches",
    )(x)
    x = keras.layers.Reshape((grid**2, sizes.width), name="tokens")(x)
    if sizes.extra_tokens:
        x = keras.layers.ZeroPadding1D((sizes.extra_tokens, 0), name="all_tokens")(x)
    # 0, 1, 2, ... for each image.
    numbers = keras.ops.cumsum(keras.ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1
    if not sizes.places:
        numbers = keras.ops.minimum(numbers, sizes.extra_tokens)
    positions = keras.layers.Embedding(
        sizes.extra_tokens + (grid**2 if sizes.places else 1),
        sizes.width,
        embeddings_initializer=initializer(),
        name="positions",
    )(numbers)
    return keras.layers.Add(name="positions_sum")([x, positions])


def split_tokens(tokens: Any, sizes: Sizes) -> Any:
    """Returns the features of a network from its tokens; see `side_by_side`."""
    num_patches = tokens.shape[1] - sizes.extra_tokens
    whole = keras.layers.Cropping1D((0, tokens.shape[1] - 1), name="class_token")(tokens)
    parts = keras.layers.Cropping1D((sizes.extra_tokens, 0), name="patch_tokens")(tokens)
    return side_by_side(whole, parts, round(num_patches**0.5))


def side_by_side(whole: Any, parts: Any, grid: int) -> Any:
    """Returns at each patch its token behind a token of the whole image.

    Args:
        whole: (batch, 1, channels).
        parts: (batch, grid * grid, channels).
        grid: Patches along a side.

    Returns:
        (batch, grid, grid, 2 * channels).
    """
    width = parts.shape[-1]
    whole = keras.layers.Flatten(name="class_features")(whole)
    whole = keras.layers.RepeatVector(grid**2, name="class_repeated")(whole)
    x = keras.layers.Concatenate(name="both_tokens")([whole, parts])
    return keras.layers.Reshape((grid, grid, 2 * width), name="maps")(x)


def block(inputs: Any, sizes: Sizes, name: str) -> Any:
    """Returns a block: attention, then a perceptron, each normalized before and added after."""
    x = keras.layers.LayerNormalization(epsilon=sizes.epsilon, name=f"{name}_norm1")(inputs)
    x = keras.layers.MultiHeadAttention(
        sizes.heads,
        sizes.width // sizes.heads,
        use_bias=sizes.attention_bias,
        dropout=sizes.attention_dropout,
        name=f"{name}_attention",
    )(x, x)
    x = _dropped(x, sizes.dropout, f"{name}_dropout1")
    attended = keras.layers.Add(name=f"{name}_sum1")([x, inputs])
    x = keras.layers.LayerNormalization(epsilon=sizes.epsilon, name=f"{name}_norm2")(attended)
    x = perceptron(x, sizes, name)
    return keras.layers.Add(name=f"{name}_sum2")([x, attended])


def perceptron(x: Any, sizes: Sizes, name: str) -> Any:
    """Returns what two dense layers make of each token; their names begin with `name`."""
    exact = None if sizes.approximate else "gelu"
    for layer, units, activation in (
        ("dense1", sizes.mlp_width, exact),
        ("dense2", sizes.width, None),
    ):
        x = keras.layers.Dense(
            units,
            activation=activation,
            use_bias=sizes.mlp_bias,
            kernel_initializer=initializer(),
            name=f"{name}_{layer}",
        )(x)
        if layer == "dense1" and sizes.approximate:
            x = keras.ops.gelu(x, approximate=True)
        x = _dropped(x, sizes.dropout, f"{name}_{layer}_dropout")
    return x


def initializer() -> keras.Initializer:
    """Returns a new initializer, as used twice it would give the same values."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


def _dropped(x: Any, rate: float, name: str) -> Any:
    return keras.layers.Dropout(rate, name=name)(x) if rate else x
