"""BERT and DistilBERT as networks of Keras' own layers: ids of tokens to features.

KerasHub's have layers of their own, which stages and attributions cannot look into. All tokens are
of the first segment, whose embedding is added to those of the positions when weights are loaded.
Devlin et al. 2018, arXiv:1810.04805; Sanh et al. 2019, arXiv:1910.01108.
"""

from collections.abc import Iterator
from typing import Any

import keras

from tfxfer.text.models.encoders.record import Encoder
from tfxfer.text.models.vocabulary import PADDING

_POSITIONS = "embedding_positions"


def build_encoder(encoder: Encoder, dropout: float, seed: int) -> keras.Model:
    """Returns an encoder with random weights: ids, int32 (batch, any), to float32 features.

    Padding changes nothing: features of a text are the same whatever it is padded to.

    Args:
        encoder: Its record.
        dropout: Rate after the embeddings and each part of a block; the attention's is that of the
            record, or 0 with `dropout` 0.
        seed: Of dropout.
    """
    seeds = iter(range(seed + 100, seed + 100 + 3 * (encoder.num_layers + 1)))
    ids = keras.Input((None,), dtype="int32", name="ids")
    is_token = keras.ops.not_equal(ids, PADDING)
    x = _embedded(ids, encoder, dropout, next(seeds))
    attended = keras.ops.expand_dims(is_token, 1)  # (batch, 1, tokens)
    for stage in encoder.stages[1:]:
        x = _block(x, attended, encoder, dropout, seeds, stage)
    return keras.Model(ids, _pooled(x, is_token, mean=encoder.mean), name="backbone")


def _embedded(ids: Any, encoder: Encoder, dropout: float, seed: int) -> Any:
    """Returns the tokens of texts with their positions, (batch, tokens, width)."""
    width = encoder.hidden_dim
    words = keras.layers.Embedding(encoder.vocabulary_size, width, name="embedding")(ids)
    # 0, 1, 2, ... for each text.
    places = keras.ops.cumsum(keras.ops.ones_like(ids), axis=1) - 1
    positions = keras.layers.Embedding(encoder.max_sequence_length, width, name=_POSITIONS)(places)
    x = keras.layers.Add(name="embedding_sum")([words, positions])
    x = keras.layers.LayerNormalization(epsilon=encoder.epsilon, name="embedding_norm")(x)
    return keras.layers.Dropout(dropout, seed=seed, name="embedding_dropout")(x)


def _block(
    inputs: Any,
    attended: Any,
    encoder: Encoder,
    dropout: float,
    seeds: Iterator[int],
    stage: str,
) -> Any:
    """Returns a block: attention, then a perceptron, each added and normalized after."""
    x = keras.layers.MultiHeadAttention(
        encoder.num_heads,
        encoder.hidden_dim // encoder.num_heads,
        dropout=encoder.attention_dropout if dropout else 0.0,
        seed=next(seeds),
        name=f"{stage}_attention",
    )(inputs, inputs, attention_mask=attended)
    x = keras.layers.Dropout(dropout, seed=next(seeds), name=f"{stage}_dropout1")(x)
    x = keras.layers.Add(name=f"{stage}_sum1")([x, inputs])
    norm = keras.layers.LayerNormalization(epsilon=encoder.epsilon, name=f"{stage}_norm1")(x)
    x = keras.layers.Dense(encoder.intermediate_dim, name=f"{stage}_dense1")(norm)
    x = keras.ops.gelu(x, approximate=encoder.approximate)
    x = keras.layers.Dense(encoder.hidden_dim, name=f"{stage}_dense2")(x)
    x = keras.layers.Dropout(dropout, seed=next(seeds), name=f"{stage}_dropout2")(x)
    x = keras.layers.Add(name=f"{stage}_sum2")([x, norm])
    return keras.layers.LayerNormalization(epsilon=encoder.epsilon, name=f"{stage}_norm2")(x)


def _pooled(tokens: Any, is_token: Any, *, mean: bool) -> Any:
    """Returns the mean over the tokens that are no padding, or the first token."""
    if not mean:
        return tokens[:, 0]
    share = keras.ops.expand_dims(keras.ops.cast(is_token, "float32"), -1)
    total = keras.ops.sum(tokens * share, axis=1)
    # A text has at least its start and its end.
    return total / keras.ops.maximum(keras.ops.sum(share, axis=1), 1.0)
