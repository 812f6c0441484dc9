"""Opening blocks: a network whose blocks are layers of KerasHub, as one of Keras' own layers.

KerasHub's MobileNet and HGNetV2 have blocks that are single layers. A file of them needs KerasHub,
BatchNorm inside them cannot be frozen on its own, and a stage cannot be cut out. What a block does
is a graph of Keras' layers, so calling it symbolically gives that graph.
"""

from dataclasses import dataclass, field
from typing import Any

import keras

from tfxfer.models.layers import is_numbered
from tfxfer.models.presets.network import class_network

# What HGNetV2 calls a number that multiplies all channels and a number that is added to them.
_AFFINE = "HGNetV2LearnableAffineBlock"

# Operations between layers, as layers: what follows a stage is the output of one layer then.
_AS_LAYERS = {"Add": keras.layers.Add, "Multiply": keras.layers.Multiply}


def opened_network(
    input_shape: tuple[int, int, int], class_name: str, settings: tuple[tuple[str, Any], ...]
) -> keras.Model:
    """Returns the network of a preset, with random weights, as a plain Keras model.

    Args:
        input_shape: (height, width, 3) of images, scaled as the preset says.
        class_name: Of the network, in `keras_hub.models`.
        settings: Of the network, each checked.

    Raises:
        UsageError: KerasHub is not installed, or refuses the settings.
    """
    return opened(class_network(input_shape, class_name, settings), class_name.lower()).model


@dataclass(frozen=True)
class Opened:
    """A network of Keras' own layers, and where they are from.

    Attributes:
        model: The network.
        origins: A layer with weights, and that of KerasHub's network of which it has them.
    """

    model: keras.Model
    origins: list[tuple[keras.layers.Layer, keras.layers.Layer]] = field(default_factory=list)

    def take_weights(self) -> None:
        """Gives the network the weights that KerasHub's has."""
        for layer, origin in self.origins:
            values = origin.get_weights()
            if type(origin).__name__ == _AFFINE:
                shapes = [variable.shape for variable in layer.weights]
                values = [
                    value.repeat(shape[-1 if len(shape) == 1 else 2]).reshape(shape)
                    for value, shape in zip(values, shapes, strict=True)
                ]
            elif type(layer) is not type(origin):  # (height, width, 1, channels)
                values = [values[0].swapaxes(2, 3), *values[1:]]
            layer.set_weights(values)


def opened(network: keras.Model, name: str) -> Opened:
    """Returns a network of KerasHub as one of Keras' own layers, which computes the same.

    Args:
        network: KerasHub's; of several outputs the last counts.
        name: Of the new one.
    """
    output = network.output
    last = list(output.values())[-1] if isinstance(output, dict) else output
    whole = keras.Model(network.inputs[0], last)
    while any(map(_is_block, whole.operations)):
        whole = _rebuilt(whole, lambda one, *a, **k: (one.call if _is_block(one) else one)(*a, **k))
    origins: list[tuple[keras.layers.Layer, keras.layers.Layer]] = []
    made: list[str] = []

    def renewed(one: Any, *inputs: Any, **options: Any) -> Any:
        if isinstance(one, keras.layers.Identity):
            return inputs[0]
        before = _latest(inputs, made)
        new = _renewed(one, before, inputs)
        if new is None:
            return one(*inputs, **options)
        made.append(new.name)
        kind = type(new).__name__
        result = new(list(inputs) if kind in _AS_LAYERS and len(inputs) == 2 else inputs[0])
        if new.weights:
            origins.append((new, one))
        return result

    flat = _rebuilt(whole, renewed)
    return Opened(keras.Model(flat.inputs[0], flat.output, name=name), origins)


def _rebuilt(model: keras.Model, call: Any) -> keras.Model:
    """Returns a model whose operations were called anew, each by a function."""
    return keras.models.clone_model(model, clone_function=lambda one: one, call_function=call)


def _is_block(one: Any) -> bool:
    return not type(one).__module__.startswith("keras.") and type(one).__name__ != _AFFINE


def _latest(inputs: tuple[Any, ...], made: list[str]) -> str:
    """Returns the name of the layer before: of several the last one made, not that of a shortcut.

    A stage ends with a layer of its name, and a shortcut may begin in an earlier stage.
    """
    names: list[str] = [one._keras_history.operation.name for one in keras.tree.flatten(inputs)]
    return max(names, key=lambda name: made.index(name) if name in made else -1)


def _renewed(one: Any, before: str, inputs: tuple[Any, ...]) -> keras.layers.Layer | None:
    """Returns a new layer for an operation or layer; None for an operation that stays one.

    Args:
        one: The operation.
        before: Name of the layer before, which names one that has no name of its own.
        inputs: Its inputs.
    """
    kind = type(one).__name__
    first = inputs[0][0] if isinstance(inputs[0], list | tuple) else inputs[0]
    if kind == _AFFINE:
        return keras.layers.DepthwiseConv2D(1, name=one.name)
    if not isinstance(one, keras.layers.Layer):
        # The mean of squeeze-and-excitation, over height and width.
        if kind == "Mean" and tuple(one.axis) == (1, 2) and one.keepdims:
            return keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{before}_mean")
        named = _AS_LAYERS.get(kind)
        return named(name=f"{before}_{kind.lower()}") if named else None
    config = one.get_config()
    if is_numbered(one):
        config["name"] = f"{before}_{kind.lower()}"
    if kind == "Conv2D" and one.groups == first.shape[-1] == one.filters > 1:
        return _depthwise(one)
    layer: keras.layers.Layer = type(one).from_config(config)
    return layer


def _depthwise(one: Any) -> keras.layers.DepthwiseConv2D:
    """Returns a convolution with as many groups as channels as what it is, a depthwise one.

    TensorFlow computes grouped convolutions on a CPU by XLA alone, slowly, and with a rounding
    that differs from that of the same graph in a SavedModel.
    """
    return keras.layers.DepthwiseConv2D(
        one.kernel_size,
        strides=one.strides,
        padding=one.padding,
        use_bias=one.use_bias,
        name=one.name,
    )
