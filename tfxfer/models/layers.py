"""The layers of a model: their names, which Keras gave them, and their precision."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras


def leaf_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model and of the models inside it, in order."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaf_layers(layer)
        else:
            yield layer


def split_number(name: str) -> tuple[str, int]:
    """Splits `conv2d_7` into `conv2d` and 7; a name without a number has 0, as Keras counts."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if stem and number.isdecimal() else (name, 0)


def is_numbered(layer: keras.layers.Layer) -> bool:
    """Tells whether a layer's name is an automatic one: its class and a process-wide number."""
    return bool(split_number(layer.name)[0].replace("_", "") == type(layer).__name__.lower())


def fresh_names(layers: Sequence[keras.layers.Layer]) -> list[str]:
    """Returns the names layers would have, had their model been the first of the process."""
    lowest: dict[str, int] = {}
    for layer in filter(is_numbered, layers):
        stem, number = split_number(layer.name)
        lowest[stem] = min(number, lowest.get(stem, number))
    names = []
    for layer in layers:
        stem, number = split_number(layer.name)
        if is_numbered(layer):
            number -= lowest[stem]
            names.append(f"{stem}_{number}" if number else stem)
        else:
            names.append(layer.name)
    return names


def in_float32(model: keras.Model) -> keras.Model:
    """Returns the model itself if all its layers are float32, else a float32 copy."""
    config = model.get_config()
    as_float32 = _without_mixed_precision(config)
    if as_float32 == config:
        return model
    copy = type(model).from_config(as_float32)
    copy.set_weights(model.get_weights())
    for layer in leaf_layers(copy):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # what it computes with is derived from its weights
    return copy


def count_parameters(weights: list[Any]) -> int:
    """Returns the number of scalars in a list of weights."""
    return sum(math.prod(weight.shape) for weight in weights)


def rate_factors(
    head: keras.Model,
    trained: Sequence[Sequence[keras.layers.Layer]],
    head_rate: float,
    layer_decay: float,
) -> dict[int, float]:
    """Returns the factors of the learning rate that are not 1, by the `id` of the variable.

    Args:
        head: The head of a classifier.
        trained: The layers of each stage that is trained, in order.
        head_rate: Learning rate of the head, as a multiple of that of the last stage.
        layer_decay: Factor from each stage to the one before it.
    """
    factors = {id(variable): head_rate for variable in head.weights}
    for place, layers in enumerate(reversed(trained)):
        for layer in layers:
            factors |= {id(variable): layer_decay**place for variable in layer.weights}
    return {key: factor for key, factor in factors.items() if factor != 1}


def _without_mixed_precision(config: Any) -> Any:
    """Returns a layer's serialized configuration with float32 in place of every mixed policy.

    And in place of the types of inputs and casts that are of another precision.
    """
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {**config["config"], "name": "float32"}}
        found = {key: _without_mixed_precision(value) for key, value in config.items()}
        if config.get("dtype") in ("float16", "bfloat16", "float64"):
            found["dtype"] = "float32"
        return found
    if isinstance(config, list | tuple):
        return type(config)(_without_mixed_precision(value) for value in config)
    return config
