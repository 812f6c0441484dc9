"""Loading the weights of timm into a convolutional network that was built here."""

import pathlib
import re
from collections.abc import Collection, Mapping

import keras
import numpy as np

from tfxfer.errors import WeightsError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.presets.plain.cspnets import CSPNETS
from tfxfer.models.presets.safetensors import TensorFile

# In the order of the weights of Keras' layer.
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
_OTHERS = ("weight", "bias")

# What a file has besides: the classifier.
_UNUSED = re.compile(r"(classifier|head\.fc)\.(weight|bias)")

_ENDS = {
    "stem_conv": "conv_stem",
    "stem_bn": "bn1",
    "top_conv": "conv_head",
    "top_bn": "bn2",
}

# By the convolutions that a block of an EfficientNet has.
_BLOCKS: Mapping[frozenset[str], Mapping[str, str]] = {
    frozenset({"conv"}): {"conv": "conv", "bn": "bn1"},
    frozenset({"dwconv", "project_conv"}): {
        "dwconv": "conv_dw",
        "bn": "bn1",
        "project_conv": "conv_pw",
        "project_bn": "bn2",
    },
    frozenset({"expand_conv", "project_conv"}): {
        "expand_conv": "conv_exp",
        "expand_bn": "bn1",
        "project_conv": "conv_pwl",
        "project_bn": "bn2",
    },
    frozenset({"expand_conv", "dwconv", "project_conv"}): {
        "expand_conv": "conv_pw",
        "expand_bn": "bn1",
        "dwconv": "conv_dw",
        "bn": "bn2",
        "project_conv": "conv_pwl",
        "project_bn": "bn3",
    },
}
_SQUEEZE = {"se_reduce": "se.conv_reduce", "se_expand": "se.conv_expand"}

_PARTS_OF_STAGES = {
    "down": "conv_down",
    "expand": "conv_exp",
    "return": "conv_transition_b",
    "transition": "conv_transition",
}


def load_plain_weights(model: keras.Model, backbone: Backbone, path: pathlib.Path) -> None:
    """Gives a network the weights in a `.safetensors` file of timm.

    Args:
        model: What the builder of the backbone built.
        backbone: Its record; the class is read.
        path: Of the file.

    Raises:
        WeightsError: The file is corrupt, or holds another network.
    """
    file, used = TensorFile(path), set()
    is_csp = dict(backbone.builder_arguments)["class_name"] == CSPNETS.class_name
    names = {layer.name for layer in model.layers if layer.weights}
    for layer in model.layers:
        if layer.weights:
            place = _csp_place(layer.name) if is_csp else _efficientnet_place(layer.name, names)
            is_norm = isinstance(layer, keras.layers.BatchNormalization)
            parts = (_BATCH_NORM if is_norm else _OTHERS)[: len(layer.weights)]
            tensors = [f"{place}.{part}" for part in parts]
            layer.set_weights(
                [
                    _read(file, name, layer, tuple(weight.shape))
                    for name, weight in zip(tensors, layer.weights, strict=True)
                ]
            )
            used.update(tensors)
    more = sorted(name for name in file.names - used if not _UNUSED.fullmatch(name))
    if more:
        raise WeightsError(
            f"The weights in '{path}' do not fit backbone '{backbone.name}': the file also has a "
            f"tensor '{more[0]}', for which the network has no layer."
        )


def _read(
    file: TensorFile, name: str, layer: keras.layers.Layer, shape: tuple[int, ...]
) -> np.ndarray:
    """Returns a tensor of a file, with its axes in the order of Keras."""
    if len(shape) != 4:
        return file.read(name, shape)
    height, width, inputs, outputs = shape
    if isinstance(layer, keras.layers.DepthwiseConv2D):  # (height, width, channels, 1)
        return file.read(name, (inputs, outputs, height, width)).transpose(2, 3, 0, 1)
    return file.read(name, (outputs, inputs, height, width)).transpose(2, 3, 1, 0)


def _efficientnet_place(name: str, names: Collection[str]) -> str:
    """Returns where the weights of a layer are in a file of an EfficientNet.

    Args:
        name: Of the layer.
        names: Of all layers with weights.

    Examples:
        >>> _efficientnet_place("block2b_bn", {"block2b_conv", "block2b_bn"})
        'blocks.1.1.bn1'
    """
    if name in _ENDS:
        return _ENDS[name]
    block, _, part = name.partition("_")
    own = {one.removeprefix(f"{block}_") for one in names if one.startswith(f"{block}_")}
    kind = frozenset(one for one in own if one.endswith("conv"))
    parts = {**_BLOCKS[kind], **_SQUEEZE}
    group, place = int(block[5:-1]) - 1, ord(block[-1]) - ord("a")
    return f"blocks.{group}.{place}.{parts[part]}"


def _csp_place(name: str) -> str:
    """Returns where the weights of a layer are in a file of a CSPNet.

    Examples:
        >>> _csp_place("stage2_block1_conv2_bn"), _csp_place("stem_conv1_conv")
        ('stages.1.blocks.0.conv2.bn', 'stem.conv1.conv')
        >>> _csp_place("stage1_down_conv")
        'stages.0.conv_down.conv'
    """
    first, *middle, kind = name.split("_")
    if first == "stem":
        return f"stem.{middle[0]}.{kind}"
    stage = f"stages.{int(first.removeprefix('stage')) - 1}"
    if len(middle) == 1:
        return f"{stage}.{_PARTS_OF_STAGES[middle[0]]}.{kind}"
    block, part = middle
    return f"{stage}.blocks.{int(block.removeprefix('block')) - 1}.{part}.{kind}"
