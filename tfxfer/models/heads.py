"""The head: the new layers on top of the backbone."""

from typing import Any

import keras
import numpy as np

from tfxfer.config.decided import DecidedHead

# From feature maps to features, by the word of the setting; "both" joins the first two.
_POOLS = {
    "average": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


def find_pools(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the pooling layers of a saved classifier, in order.

    There are two if average and maximum are concatenated, and none in a model not built by tfxfer.
    """
    names = {f"{name}_pool" for name in _POOLS}
    return [layer for layer in model.layers if layer.name in names]


def with_features(model: keras.Model) -> keras.Model:
    """Returns a model with the layers of a saved classifier that also outputs its features.

    Its outputs are `probabilities`, (batch, num_classes), and `features`, (batch, num_features),
    the pooled features that the head takes. A model not built by tfxfer has no `features`.
    """
    pools = find_pools(model)
    outputs = {"probabilities": model.output}
    names = [layer.name for layer in model.layers]
    if "head" in names and pools:
        joined = "both_pools" if "both_pools" in names else pools[0].name
        outputs["features"] = model.get_layer(joined).output
    return keras.Model(model.input, outputs)


def head_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers of the head of a saved classifier; none if it was not built by tfxfer."""
    heads = [layer for layer in model.layers if layer.name == "head"]
    return list(heads[0].layers) if heads and isinstance(heads[0], keras.Model) else []


def averaged_with_mirrored(model: keras.Model) -> Any:
    """Returns the logits of a classifier, averaged over each image and its mirror image.

    The layers of the model are called a second time; what `with_features` and Grad-CAM find of them
    is the first, the image as it is. Logits rather than probabilities are averaged: the model then
    ends as any other, and is calibrated as any other.

    Args:
        model: Images to logits, as `build_classifier` builds it, in float32.

    Returns:
        The symbolic output, (batch, num_outputs).
    """
    pools = find_pools(model)
    history = pools[0].input._keras_history
    backbone, call = history.operation, history.node_index
    # What comes before the backbone treats all columns alike.
    (x,) = backbone._inbound_nodes[call].input_tensors
    maps = backbone(keras.ops.flip(x, axis=2))
    pooled = [pool(maps) for pool in pools]
    features = pooled[0] if len(pooled) == 1 else model.get_layer("both_pools")(pooled)
    logits = model.get_layer("head")(features)
    return keras.layers.Average(name="views", dtype="float32")([model.output, logits])


def pool_features(pooling: str, maps: Any) -> Any:
    """Returns float32 features of feature maps; "both" is the average and then the maximum."""
    names = ["average", "max"] if pooling == "both" else [pooling]
    pooled = [_POOLS[name](name=f"{name}_pool", dtype="float32")(maps) for name in names]
    if len(pooled) == 1:
        return pooled[0]
    return keras.layers.Concatenate(name="both_pools", dtype="float32")(pooled)


def build_head(
    config: DecidedHead, num_features: int, num_classes: int, seed: int, *, is_ordered: bool = False
) -> keras.Model:
    """Returns features -> dropout -> [hidden -> dropout]* -> logits, all in float32.

    Args:
        config: Hidden layers and dropout.
        num_features: Of the backbone.
        num_classes: How many logits; one more where classes are ordered.
        seed: Of the initial weights and dropout.
        is_ordered: Whether the logits are those between ordered classes, which share their weights.
    """
    seeds = iter(range(seed, seed + 2 * len(config.hidden_units) + 2))
    inputs = keras.Input((num_features,), name="features")
    x = inputs
    for units in config.hidden_units:
        x = keras.layers.Dropout(config.dropout, seed=next(seeds), dtype="float32")(x)
        initializer = keras.initializers.HeNormal(seed=next(seeds))
        x = keras.layers.Dense(
            units, activation="relu", kernel_initializer=initializer, dtype="float32"
        )(x)
    x = keras.layers.Dropout(config.dropout, seed=next(seeds), dtype="float32")(x)
    # Zero logits: the first gradients that reach the backbone are those of a head that claims
    # nothing yet (as in BiT, Kolesnikov et al. 2020, arXiv:1912.11370).
    logits = keras.layers.Dense(
        1 if is_ordered else num_classes,
        kernel_initializer="zeros",
        name="logits",
        dtype="float32",
    )(x)
    if is_ordered:
        thresholds = keras.layers.Dense(
            num_classes - 1, kernel_initializer="ones", name="thresholds", dtype="float32"
        )
        logits = thresholds(logits)
        thresholds.kernel.trainable = False  # the same score for all of them
    return keras.Model(inputs, logits, name="head")


def head_weights(kernel: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    """Returns the weights of a head without hidden layers, as `set_weights` takes them.

    Args:
        kernel: Shape (num_features, num_outputs), or (num_features, 1) for ordered classes.
        bias: Shape (num_outputs,).
    """
    if kernel.shape[1] == len(bias):
        return [kernel, bias]
    return [kernel, np.zeros(1, kernel.dtype), np.ones((1, len(bias)), kernel.dtype), bias]
