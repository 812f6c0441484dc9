"""The layers of a model, and the names that Keras gave them."""

from collections.abc import Iterator, Sequence

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
