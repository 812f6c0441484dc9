"""Cuts a network, and what a head reads of it, into a frozen and a trained half."""

from collections.abc import Sequence
from typing import Any

import keras

from tfxfer.models.folding.each_step import FoldedNetwork
from tfxfer.models.stages.packing import pack, unpack
from tfxfer.models.stages.reading import Reading


def features_of(
    entry: keras.Model, folded: FoldedNetwork, reading: Reading, beside: str | None = None
) -> keras.Model:
    """Returns images to what the head reads, (batch, num_features), float32.

    Args:
        entry: Images to what the network takes.
        folded: The network.
        reading: What the head reads.
        beside: A layer whose output the model returns, too, behind the features.
    """
    besides = [] if beside is None else [folded.outputs[beside]]
    outputs = [*besides, *reading.outputs(folded.outputs, folded.output)]
    maps = keras.tree.flatten(_network(folded.input, outputs)(entry.output))
    besides, maps = maps[: len(besides)], maps[len(besides) :]
    features = reading.features(maps)
    return keras.Model(entry.input, [features, *besides] if besides else features)


def cut(
    entry: keras.Model,
    folded: FoldedNetwork,
    reading: Reading,
    layer: str | None,
    before: Sequence[str],
) -> tuple[keras.Model, Any, Any]:
    """Returns the frozen half, and symbolic input and output of the trained half without the head.

    The frozen half gives the activations of the cut and, if the head reads stages before it, their
    features; see `pack`.

    Args:
        entry: Images to what the network takes.
        folded: The network.
        reading: What the head reads.
        layer: The layer whose output is cut; None for the input of the network.
        before: The stages before the cut.
    """
    start = folded.input if layer is None else folded.outputs[layer]
    frozen_stages = [stage for stage in reading.ends if stage in before]
    if frozen_stages:
        ends = [folded.outputs[reading.ends[stage]] for stage in frozen_stages]
        *maps, x = _network(folded.input, [*ends, start])(entry.output)
        pooled = [reading.pooled(*one) for one in zip(frozen_stages, maps, strict=True)]
        frozen = keras.Model(entry.input, pack(x, pooled))
        activations = keras.Input(frozen.output_shape[1:])
        x, pooled = unpack(activations, x, pooled)
    else:
        frozen = entry
        if layer is not None:
            frozen = keras.Model(entry.input, _network(folded.input, [start])(entry.output))
        activations = keras.Input(frozen.output_shape[1:], dtype=frozen.output.dtype)
        x, pooled = activations, []
    trained_stages = [stage for stage in reading.ends if stage not in before]
    ends = [folded.outputs[reading.ends[stage]] for stage in trained_stages]
    *maps, last = keras.tree.flatten(_network(start, [*ends, folded.output])(x))
    pooled += [reading.pooled(*one) for one in zip(trained_stages, maps, strict=True)]
    return frozen, activations, reading.joined(pooled, last)


def _network(start: Any, outputs: Sequence[Any]) -> keras.Model:
    return keras.Model(start, outputs if len(outputs) > 1 else outputs[0])
