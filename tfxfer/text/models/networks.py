"""The layers of the text backbones: ids of words to features."""

from typing import Any

import keras

from tfxfer.config.decided import DecidedText
from tfxfer.text.models.backbones import FILTER_WIDTHS, TextBackbone
from tfxfer.text.models.vocabulary import PADDING

# The names of a stage's layers are its own, or begin with it and "_".
EMBEDDING = "embedding"


def build_network(backbone: TextBackbone, config: DecidedText, num_ids: int, seed: int) -> Any:
    """Returns a backbone with random weights: ids, int32 (batch, any), to float32 features.

    Padding changes nothing: features of a text are the same whatever it is padded to.

    Args:
        backbone: The record of the backbone.
        config: Widths and dropout.
        num_ids: Number of ids; see `Vocabulary.num_ids`.
        seed: Of the initial weights and dropout.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedded = keras.layers.Embedding(
        num_ids,
        config.dimensions,
        mask_zero=True,
        embeddings_initializer=keras.initializers.RandomUniform(-0.05, 0.05, seed=seed),
        name=EMBEDDING,
    )(ids)
    dropout = keras.layers.SpatialDropout1D if backbone.has_units else keras.layers.Dropout
    x = dropout(config.dropout, seed=seed + 1, name="embedding_dropout")(embedded)
    layers = {"average": _average, "textcnn": _convolve, "gru": _recur, "lstm": _recur}
    features = layers[backbone.name](backbone.name, ids, x, config.units, seed + 2)
    return keras.Model(ids, features, name="backbone")


def _average(_: str, ids: Any, x: Any, units: int, seed: int) -> Any:
    """Returns the mean over the words."""
    return keras.layers.GlobalAveragePooling1D(name="embedding_mean")(x)


def _convolve(_: str, ids: Any, x: Any, units: int, seed: int) -> Any:
    """Returns the maximum over the words of rectified convolutions.

    What lies behind the text is zero before the convolutions, as their own padding is, and after.
    """
    is_word = keras.ops.expand_dims(keras.ops.not_equal(ids, PADDING), -1)
    is_word = keras.ops.cast(is_word, "float32")
    words = keras.ops.multiply(x, is_word)
    found = []
    for number, width in enumerate(FILTER_WIDTHS):
        maps = keras.layers.Conv1D(
            units,
            width,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + number),
            name=f"convolutions_{width}",
        )(words)
        found.append(keras.ops.max(keras.ops.multiply(maps, is_word), axis=1))
    return keras.layers.Concatenate(name="convolutions_joined")(found)


def _recur(kind: str, ids: Any, x: Any, units: int, seed: int) -> Any:
    """Returns the maximum over the words of the states of both directions."""
    layer = keras.layers.LSTM if kind == "lstm" else keras.layers.GRU
    states = keras.layers.Bidirectional(
        layer(
            units,
            return_sequences=True,
            use_cudnn=False,  # its operations are on a GPU alone, and exports run anywhere
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 1),
        ),
        name="recurrent",
    )(x)
    # States behind the text repeat those before them, but in the other direction they are zero.
    is_word = keras.ops.expand_dims(keras.ops.not_equal(ids, PADDING), -1)
    lowest = keras.ops.multiply(keras.ops.cast(is_word, "float32") - 1.0, _FAR)
    return keras.ops.max(keras.ops.add(states, lowest), axis=1)


# States lie in [-1, 1]; those behind a text are moved below.
_FAR = 4.0


def stage_layers(network: Any, backbone: TextBackbone) -> dict[str, list[Any]]:
    """Returns the layers of each stage, in order."""
    return {
        stage: [layer for layer in network.layers if layer.name.partition("_")[0] == stage]
        for stage in backbone.stages
    }
