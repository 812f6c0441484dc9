"""The vision encoder of SigLIP as a network of Keras' own layers, and its weights from a preset.

In place of a class token it has a probe that attends to the patches (Zhai et al. 2023,
arXiv:2303.15343).
"""

import dataclasses
import pathlib
from typing import Any

import h5py
import keras

from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.foreign.arrays import numeric_arrays
from tfxfer.models.presets.tokens.families import patch_size
from tfxfer.models.presets.tokens.vision_transformer import (
    Sizes,
    block,
    embedded_patches,
    initializer,
    perceptron,
    side_by_side,
)
from tfxfer.models.presets.tokens.weights import (
    Stored,
    assign,
    load_layers,
    numbered_place,
    resized_positions,
)

_POOLING = "sig_lip_multi_head_attention_pooling"

# Of a preset that has the encoder of texts, too.
_INNER = "layers/sig_lip_vision_encoder/"


def siglip(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the vision encoder of a preset of SigLIP, with random weights.

    Its output has the shape (batch, height, width, 2 * channels): at each patch its token, behind
    the pooled features of the image, which are the same at all patches. Arguments are as for
    `vision_transformer.vit`.
    """
    found = dict(settings)
    sizes = Sizes(
        patch=patch_size(found),
        blocks=found["num_layers"],
        heads=found["num_heads"],
        width=found["hidden_dim"],
        mlp_width=found["intermediate_dim"],
        extra_tokens=0,
        epsilon=found["layer_norm_epsilon"],
        approximate=found["intermediate_activation"] == "gelu_approximate",
    )
    inputs = keras.Input(input_shape)
    x = embedded_patches(inputs, sizes)
    for number in range(1, sizes.blocks + 1):
        x = block(x, sizes, f"block{number}")
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    maps = side_by_side(_pooled(x, sizes), x, input_shape[0] // sizes.patch)
    return keras.Model(inputs, maps, name=class_name.lower())


def _pooled(tokens: Any, sizes: Sizes) -> Any:
    """Returns what the probe makes of the tokens, (batch, 1, channels)."""
    zeros = keras.ops.zeros_like(tokens[:, :1, 0], dtype="int32")
    probe = keras.layers.Embedding(
        1, sizes.width, embeddings_initializer=initializer(), name="probe"
    )(zeros)
    attended = keras.layers.MultiHeadAttention(
        sizes.heads, sizes.width // sizes.heads, name="pool_attention"
    )(probe, tokens)
    x = keras.layers.LayerNormalization(epsilon=sizes.epsilon, name="pool_norm")(attended)
    x = perceptron(x, dataclasses.replace(sizes, dropout=0.0), "pool")
    return keras.layers.Add(name="pool_sum")([x, attended])


def load_siglip_weights(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives the vision encoder of SigLIP the weights in the `.weights.h5` file of its preset.

    Embeddings of positions are interpolated bicubically for images of another size than those of
    the file.

    Args:
        model: What `siglip` built of the backbone.
        backbone: Its record; the settings are read.
        path: Of the file.

    Raises:
        WeightsError: The file holds another network.
        OSError, ValueError, KeyError: It is corrupt.
    """
    settings = dict(dict(backbone.builder_arguments)["settings"])
    with h5py.File(path) as file:
        arrays = numeric_arrays(file)
        start = _INNER if any(name.startswith(_INNER) for name in arrays) else ""
        stored = Stored(arrays, path, {})
        layers = f"{start}layers"
        embedding = f"{layers}/sig_lip_vision_embedding"
        names = {
            "patches": f"{embedding}/patch_embedding",
            "norm": f"{layers}/layer_normalization",
            "pool_norm": f"{layers}/{_POOLING}/layer_norm",
            "pool_attention": f"{layers}/{_POOLING}/attention",
            "pool_dense1": f"{layers}/{_POOLING}/mlp/fc1",
            "pool_dense2": f"{layers}/{_POOLING}/mlp/fc2",
        }
        for number in range(settings["num_layers"]):
            place = numbered_place(f"{layers}/sig_lip_encoder_layer", number)
            own = f"block{number + 1}"
            names |= {f"{own}_norm{one}": f"{place}/layer_norm{one}" for one in (1, 2)}
            names |= {f"{own}_dense{one}": f"{place}/mlp/fc{one}" for one in (1, 2)}
            names[f"{own}_attention"] = f"{place}/self_attn"
        load_layers(model, stored, names)
        width = settings["hidden_dim"]
        probe = stored.array(f"{layers}/{_POOLING}/vars/0", (1, 1, width))[0]
        assign(model.get_layer("probe"), [probe])
        positions = stored.array(f"{embedding}/position_embedding/vars/0", (None, width))
        layer = model.get_layer("positions")
        count = layer.embeddings.shape[0]
        assign(layer, [resized_positions(positions, count, antialias=True, path=path)])
