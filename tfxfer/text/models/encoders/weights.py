"""Loading the weights of an encoder: `.safetensors` of transformers, `.weights.h5` of KerasHub.

Only numbers are read from either.
"""

import hashlib
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h5py
import keras
import numpy as np

from tfxfer.errors import WeightsError
from tfxfer.models.foreign.arrays import numeric_arrays
from tfxfer.models.presets.safetensors import TensorFile
from tfxfer.text.models.encoders.record import Encoder

Read = Callable[[str, tuple[int, ...]], np.ndarray]

_PARTS = ("query", "key", "value", "output")


@dataclass(frozen=True)
class _Names:
    """What the parts of a network are called in a file; `block` takes the number of a block."""

    words: str
    positions: str
    segments: str
    norm: str
    block: str
    attention: tuple[str, ...]
    norm1: str
    norm2: str
    dense1: str
    dense2: str


_BERT = _Names(
    words="embeddings.word_embeddings",
    positions="embeddings.position_embeddings",
    segments="embeddings.token_type_embeddings",
    norm="embeddings.LayerNorm",
    block="encoder.layer.{}.",
    attention=(
        *("attention.self.query", "attention.self.key", "attention.self.value"),
        "attention.output.dense",
    ),
    norm1="attention.output.LayerNorm",
    norm2="output.LayerNorm",
    dense1="intermediate.dense",
    dense2="output.dense",
)

_DISTILBERT = _Names(
    words="embeddings.word_embeddings",
    positions="embeddings.position_embeddings",
    segments="",
    norm="embeddings.LayerNorm",
    block="transformer.layer.{}.",
    attention=("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
    norm1="sa_layer_norm",
    norm2="output_layer_norm",
    dense1="ffn.lin1",
    dense2="ffn.lin2",
)

_PRESET_BERT = _Names(
    words="layers/reversible_embedding",
    positions="layers/position_embedding",
    segments="layers/embedding",
    norm="layers/layer_normalization",
    block="layers/transformer_encoder{}/",
    attention=tuple(f"_self_attention_layer/{part}_dense" for part in _PARTS),
    norm1="_self_attention_layer_norm",
    norm2="_feedforward_layer_norm",
    dense1="_feedforward_intermediate_dense",
    dense2="_feedforward_output_dense",
)

_PRESET_DISTILBERT = _Names(
    **{
        **vars(_PRESET_BERT),
        "words": "layers/token_and_position_embedding/token_embedding",
        "positions": "layers/token_and_position_embedding/position_embedding",
        "segments": "",
    }
)


def load_encoder(model: keras.Model, encoder: Encoder, path: pathlib.Path) -> None:
    """Gives a network the weights of an encoder.

    Args:
        model: What `build_encoder` made of the record.
        encoder: The record.
        path: Of the file.

    Raises:
        WeightsError: The file is corrupt, holds another network, or is not what was published.
    """
    _check_published(encoder, path)
    if not encoder.is_preset:
        _fill(model, encoder, _Transformers(TensorFile(path), encoder))
        return
    try:
        with h5py.File(path) as file:
            _fill(model, encoder, _Preset(numeric_arrays(file), path, encoder))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"Cannot read the weights in '{path}': {reason}. Save or copy them again."
        ) from None


def _check_published(encoder: Encoder, path: pathlib.Path) -> None:
    if not encoder.weights_hash:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != encoder.weights_hash:
        raise WeightsError(
            f"The weights in '{path}' are not those that were published: their SHA-256 is "
            f"{found}, not {encoder.weights_hash}. Install the package again."
        )


class _Transformers:
    """The tensors of transformers, whose names may begin with that of the network."""

    def __init__(self, file: TensorFile, encoder: Encoder) -> None:
        self.names = _BERT if encoder.family == "bert" else _DISTILBERT
        prefixes = ("", "bert.", "distilbert.")
        words = f"{self.names.words}.weight"
        prefix = next((one for one in prefixes if file.shape(one + words)), "")
        self._file, self._prefix = file, prefix
        # Files that were converted from TensorFlow have the old names.
        old = file.shape(f"{prefix}{self.names.norm}.gamma") is not None
        self._norm = ("gamma", "beta") if old else ("weight", "bias")

    def block(self, number: int) -> str:
        return self.names.block.format(number)

    def table(self, name: str, rows: int, width: int) -> np.ndarray:
        return self._read(f"{name}.weight", (rows, width))

    def segment(self, width: int) -> np.ndarray:
        """Returns the embedding of the first segment, (1, width)."""
        shape = self._file.shape(f"{self._prefix}{self.names.segments}.weight")
        rows = shape[0] if shape and len(shape) == 2 else 2
        return self.table(self.names.segments, rows, width)[:1]

    def norm(self, name: str, width: int) -> list[np.ndarray]:
        return [self._read(f"{name}.{part}", (width,)) for part in self._norm]

    def dense(self, name: str, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Returns kernel and bias; `shape` is (inputs, outputs)."""
        kernel = self._read(f"{name}.weight", shape[::-1]).T
        return [kernel, self._read(f"{name}.bias", shape[1:])]

    def attention(self, name: str, part: int, heads: int, width: int) -> list[np.ndarray]:
        """Returns kernel and bias of a part of the attention as Keras has them."""
        kernel, bias = self.dense(name, (width, width))
        if _PARTS[part] == "output":
            return [kernel.reshape(heads, -1, width), bias]
        return [kernel.reshape(width, heads, -1), bias.reshape(heads, -1)]

    def _read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return self._file.read(self._prefix + name, shape)


class _Preset:
    """The arrays of a preset of KerasHub."""

    def __init__(
        self, arrays: dict[str, h5py.Dataset], path: pathlib.Path, encoder: Encoder
    ) -> None:
        self.names = _PRESET_BERT if encoder.family == "bert" else _PRESET_DISTILBERT
        self._arrays, self._path = arrays, path

    def block(self, number: int) -> str:
        return self.names.block.format(f"_{number}" if number else "")

    def table(self, name: str, rows: int, width: int) -> np.ndarray:
        return self._read(f"{name}/vars/0", (rows, width))

    def segment(self, width: int) -> np.ndarray:
        """Returns the embedding of the first segment, (1, width)."""
        place = f"{self.names.segments}/vars/0"
        found = self._arrays.get(place)
        rows = found.shape[0] if found is not None and len(found.shape) == 2 else 2
        return self._read(place, (rows, width))[:1]

    def norm(self, name: str, width: int) -> list[np.ndarray]:
        return [self._read(f"{name}/vars/{place}", (width,)) for place in (0, 1)]

    def dense(self, name: str, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Returns kernel and bias; `shape` is (inputs, outputs)."""
        return [self._read(f"{name}/vars/0", shape), self._read(f"{name}/vars/1", shape[1:])]

    def attention(self, name: str, part: int, heads: int, width: int) -> list[np.ndarray]:
        """Returns kernel and bias of a part of the attention as Keras has them."""
        inner = width // heads
        if _PARTS[part] == "output":
            shapes: tuple[tuple[int, ...], ...] = ((heads, inner, width), (width,))
        else:
            shapes = ((width, heads, inner), (heads, inner))
        return [self._read(f"{name}/vars/{place}", shape) for place, shape in enumerate(shapes)]

    def _read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        found = self._arrays.get(name)
        if found is None or found.dtype.kind != "f" or found.shape != shape:
            raise WeightsError(
                f"The weights in '{self._path}' do not fit: the network has an array '{name}' of "
                f"shape {shape}, the file {'none' if found is None else f'has {found.shape}'}."
            )
        return np.asarray(found[()], "float32")


def _fill(model: keras.Model, encoder: Encoder, stored: _Transformers | _Preset) -> None:
    """Gives all layers of a network their weights."""
    names, width = stored.names, encoder.hidden_dim
    positions = stored.table(names.positions, encoder.max_sequence_length, width)
    if names.segments:
        positions = positions + stored.segment(width)
    words = stored.table(names.words, encoder.vocabulary_size, width)
    model.get_layer("embedding").set_weights([words])
    model.get_layer("embedding_positions").set_weights([positions])
    model.get_layer("embedding_norm").set_weights(stored.norm(names.norm, width))
    for number, stage in enumerate(encoder.stages[1:]):
        _fill_block(model, encoder, stored, stored.block(number), stage)


def _fill_block(
    model: keras.Model, encoder: Encoder, stored: _Transformers | _Preset, place: str, stage: str
) -> None:
    """Gives the layers of a block, which is at `place` in the file, their weights."""
    names, width, hidden = stored.names, encoder.hidden_dim, encoder.intermediate_dim
    attention = [
        value
        for part, name in enumerate(names.attention)
        for value in stored.attention(place + name, part, encoder.num_heads, width)
    ]
    values: dict[str, list[Any]] = {
        "attention": attention,
        "norm1": stored.norm(place + names.norm1, width),
        "norm2": stored.norm(place + names.norm2, width),
        "dense1": stored.dense(place + names.dense1, (width, hidden)),
        "dense2": stored.dense(place + names.dense2, (hidden, width)),
    }
    for layer, weights in values.items():
        model.get_layer(f"{stage}_{layer}").set_weights(weights)
