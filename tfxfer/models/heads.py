"""The head: the new layers on top of the backbone."""

from collections.abc import Sequence
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


# The layer that concatenates the features of several stages.
STAGE_FEATURES = "stage_features"


def find_pools(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the pooling layers of a saved classifier, in order: those of its last stage.

    There are two if average and maximum are concatenated, and none in a model not built by tfxfer.
    """
    names = {f"{name}_pool" for name in _POOLS}
    return [layer for layer in model.layers if layer.name in names]


def with_features(model: keras.Model) -> keras.Model:
    """Returns a model with the layers of a saved classifier that also outputs its features.

    Its outputs are `probabilities`, (batch, num_classes), and `features`, (batch, num_features),
    the pooled features that the head takes. A model not built by tfxfer has no `features`.
    """
    outputs = {"probabilities": model.output}
    if "head" in [layer.name for layer in model.layers] and find_pools(model):
        outputs["features"] = find_features(model)
    return keras.Model(model.input, outputs)


def find_features(model: keras.Model) -> Any:
    """Returns the symbolic features of a saved classifier, (batch, num_features).

    Args:
        model: A model that has `find_pools`.
    """
    names = [layer.name for layer in model.layers]
    joined = [name for name in (STAGE_FEATURES, "both_pools") if name in names]
    return model.get_layer(joined[0] if joined else find_pools(model)[0].name).output


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
    backbone = find_pools(model)[0].input._keras_history.operation
    # What comes before the backbone treats all columns alike.
    (x,) = backbone_call(model).input_tensors
    maps = backbone(keras.ops.flip(x, axis=2))
    logits = logits_of_maps(model, keras.tree.flatten(maps))
    return keras.layers.Average(name="views", dtype="float32")([model.output, logits])


def backbone_call(model: keras.Model) -> Any:
    """Returns the call of the backbone in a saved classifier that has `find_pools`.

    Its `input_tensors` and `output_tensors` are lists of symbolic tensors. The last of its outputs
    are the feature maps of the last stage.
    """
    history = find_pools(model)[0].input._keras_history
    return history.operation._inbound_nodes[history.node_index]


def logits_of_maps(model: keras.Model, maps: Sequence[Any]) -> Any:
    """Returns the logits that a saved classifier gives of other feature maps.

    Args:
        model: A model that has `find_pools`.
        maps: In place of the `output_tensors` of its `backbone_call`.
    """
    known = dict(zip(map(id, backbone_call(model).output_tensors), maps, strict=True))

    def again(tensor: Any) -> Any:
        if id(tensor) not in known:
            history = tensor._keras_history
            inputs = history.operation._inbound_nodes[history.node_index].input_tensors
            values = [again(one) for one in inputs]
            known[id(tensor)] = history.operation(values if len(values) > 1 else values[0])
        return known[id(tensor)]

    return model.get_layer("head")(again(find_features(model)))


def pool_features(pooling: str, maps: Any, suffix: str = "") -> Any:
    """Returns float32 features of feature maps; "both" is the average and then the maximum.

    Args:
        pooling: The setting `head.pooling`.
        maps: Feature maps, (batch, height, width, channels).
        suffix: Of the names of the layers.
    """
    names = ["average", "max"] if pooling == "both" else [pooling]
    pooled = [_POOLS[name](name=f"{name}_pool{suffix}", dtype="float32")(maps) for name in names]
    if len(pooled) == 1:
        return pooled[0]
    return keras.layers.Concatenate(name=f"both_pools{suffix}", dtype="float32")(pooled)


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
