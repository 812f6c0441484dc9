"""Reading a PyTorch file of an EfficientNet-Lite into the network of Keras."""

import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy.typing as npt

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.torch_files.legacy import read_tensors
from tfxfer.models.torch_files.pickles import PickleError, shown

Arrays = Mapping[str, npt.NDArray[Any]]

# Names of efficientnet_lite_pytorch, which are those of efficientnet_pytorch, by the end of ours.
_LAYERS = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "top_conv": "_conv_head",
    "top_bn": "_bn1",
}
_LAYERS_OF_BLOCKS = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "dwconv": "_depthwise_conv",
    "bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}

# In the order of the weights of Keras' layer.
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")

# From (outputs, inputs, height, width); a depthwise kernel has the channels as its outputs and 1
# input, and Keras has them the other way round.
_CONVOLUTION_AXES = (2, 3, 1, 0)
_DEPTHWISE_AXES = (2, 3, 0, 1)

# What a file has besides: the classifier, and a counter that only training with PyTorch reads.
_UNUSED = re.compile(r"_fc\.(weight|bias)|.*\.num_batches_tracked")


def load_torch_file(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives an EfficientNet-Lite the weights in a `.pth` file of `efficientnet_lite_pytorch`.

    Raises:
        WeightsError: The file is corrupt, holds something else than tensors, or another network.
        OSError: It cannot be read.
    """
    try:
        tensors = read_tensors(path)
    except PickleError as error:
        raise WeightsError(
            f"Cannot load weights of '{backbone.name}' from '{path}': {error}."
        ) from None
    wanted = dict(_named_layers(model))
    problem = _problem(wanted, tensors)
    if problem:
        raise WeightsError(
            f"The weights in '{path}' do not fit backbone '{backbone.name}': {problem}."
        )
    for layer, names in wanted.values():
        layer.set_weights([_as_keras(layer, tensors[name]) for name in names])


def _named_layers(model: keras.Model) -> Iterator[tuple[str, tuple[keras.layers.Layer, list[str]]]]:
    """Yields each layer with weights by name, with the names of its tensors in the file."""
    blocks: list[str] = []
    for layer in model.layers:
        if layer.weights:
            block, _, rest = layer.name.partition("_")
            if layer.name in _LAYERS:
                theirs = _LAYERS[layer.name]
            else:
                if block not in blocks:
                    blocks.append(block)
                theirs = f"_blocks.{len(blocks) - 1}.{_LAYERS_OF_BLOCKS[rest]}"
            is_batch_norm = isinstance(layer, keras.layers.BatchNormalization)
            parts = _BATCH_NORM if is_batch_norm else ("weight",)
            yield layer.name, (layer, [f"{theirs}.{part}" for part in parts])


def _problem(
    wanted: Mapping[str, tuple[keras.layers.Layer, list[str]]], tensors: Arrays
) -> str | None:
    """Returns how the tensors are not those of the layers; None if they are."""
    for layer, names in wanted.values():
        for name, weight in zip(names, layer.weights, strict=True):
            if name not in tensors:
                return f"it holds no '{name}' for layer '{layer.name}'"
            tensor = tensors[name]
            if tensor.dtype.kind != "f":
                return f"'{name}' is of type {tensor.dtype}"
            if tensor.ndim != weight.ndim or _as_keras(layer, tensor).shape != tuple(weight.shape):
                return (
                    f"layer '{layer.name}' has shape {tuple(weight.shape)}, '{name}' in the file "
                    f"{tensor.shape}"
                )
    used = {name for _, names in wanted.values() for name in names}
    for name in tensors:
        if name not in used and not _UNUSED.fullmatch(name):
            return f"it also holds {shown(name)}, for which the backbone has no layer"
    return None


def _as_keras(layer: keras.layers.Layer, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns a tensor with its axes in the order of Keras."""
    if tensor.ndim != 4:
        return tensor
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return tensor.transpose(_DEPTHWISE_AXES if is_depthwise else _CONVOLUTION_AXES)
