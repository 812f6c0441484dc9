"""Directories of timm for tests, without timm: its tensor names, and made-up weights."""

import json
import math
import zlib

import numpy as np

IMAGENET = {
    "input_size": [3, 224, 224],
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "interpolation": "bicubic",
    "crop_pct": 0.95,
}


def safetensors_bytes(tensors, **header):
    """Returns a `.safetensors` file of float32 arrays by name, with other entries in its header."""
    entries, data = {}, b""
    for name, array in tensors.items():
        content = np.asarray(array, "<f4").tobytes()
        offsets = [len(data), len(data) + len(content)]
        entries[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        data += content
    text = json.dumps(entries | header).encode()
    return len(text).to_bytes(8, "little") + text + data


def made_up(name, shape):
    """Returns a tensor of timm that depends on its name alone.

    Such weights keep the size of maps about as it is.
    """
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return generator.uniform(0.5, 1.5, shape).astype("float32")
    if name.endswith(("running_mean", ".bias")):
        return generator.normal(0, 0.1, shape).astype("float32")
    if len(shape) == 1:
        return generator.uniform(0.5, 1.0, shape).astype("float32")
    return generator.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape).astype("float32")


def resnet18_shapes():
    """Returns the shapes of the tensors of timm's resnet18, without its classifier, by name."""
    shapes = {"conv1.weight": (64, 3, 7, 7)} | _norm("bn1", 64)
    channels = 64
    for layer, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, channels, 3, 3)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            shapes |= _norm(f"{name}.bn1", width) | _norm(f"{name}.bn2", width)
            if channels != width:
                shapes[f"{name}.downsample.0.weight"] = (width, channels, 1, 1)
                shapes |= _norm(f"{name}.downsample.1", width)
            channels = width
    return shapes


def mobilenet_shapes():
    """Returns the shapes of the tensors of timm's mobilenetv3_small_050 by name, without head."""
    shapes = {"conv_stem.weight": (16, 3, 3, 3)} | _norm("bn1", 16)
    shapes |= {
        "blocks.0.0.conv_dw.weight": (16, 1, 3, 3),
        "blocks.0.0.conv_pw.weight": (8, 16, 1, 1),
    }
    shapes |= (
        _norm("blocks.0.0.bn1", 16) | _norm("blocks.0.0.bn2", 8) | _squeeze("blocks.0.0", 16, 8)
    )
    channels = 8
    for place, (expansions, width, kernel, inner) in enumerate(
        (
            ((40, 56), 16, 3, (0, 0)),
            ((64, 144, 144), 24, 5, (16, 40, 40)),
            ((72, 72), 24, 5, (24, 24)),
            ((144, 288, 288), 48, 5, (40, 72, 72)),
        ),
        start=1,
    ):
        for block, (expanded, squeezed) in enumerate(zip(expansions, inner, strict=True)):
            name = f"blocks.{place}.{block}"
            shapes[f"{name}.conv_pw.weight"] = (expanded, channels, 1, 1)
            shapes[f"{name}.conv_dw.weight"] = (expanded, 1, kernel, kernel)
            shapes[f"{name}.conv_pwl.weight"] = (width, expanded, 1, 1)
            shapes |= _norm(f"{name}.bn1", expanded) | _norm(f"{name}.bn2", expanded)
            shapes |= _norm(f"{name}.bn3", width)
            shapes |= _squeeze(name, expanded, squeezed) if squeezed else {}
            channels = width
    return shapes | {"blocks.5.0.conv.weight": (288, 48, 1, 1)} | _norm("blocks.5.0.bn1", 288)


def _squeeze(name, channels, inner):
    """Returns the shapes of squeeze-and-excitation."""
    return {
        f"{name}.se.conv_reduce.weight": (inner, channels, 1, 1),
        f"{name}.se.conv_reduce.bias": (inner,),
        f"{name}.se.conv_expand.weight": (channels, inner, 1, 1),
        f"{name}.se.conv_expand.bias": (channels,),
    }


def hgnet_shapes():
    """Returns the shapes of the tensors of timm's hgnetv2_b0 by name, without its head."""
    shapes = {}
    for name, inputs, outputs, kernel in (
        ("stem1", 3, 16, 3),
        ("stem2a", 16, 8, 2),
        ("stem2b", 8, 16, 2),
        ("stem3", 32, 16, 3),
        ("stem4", 16, 16, 1),
    ):
        shapes |= _affine_convolution(f"stem.{name}", inputs, outputs, kernel)
    channels = 16
    for stage, (middle, outputs, blocks) in enumerate(
        ((16, 64, 1), (32, 256, 1), (64, 512, 2), (128, 1024, 1))
    ):
        if stage:
            shapes |= _convolution(f"stages.{stage}.downsample", 1, channels, 3)
        for block in range(blocks):
            name = f"stages.{stage}.blocks.{block}"
            for layer in range(3):
                inputs, one = middle if layer else channels, f"{name}.layers.{layer}"
                if stage < 2:
                    shapes |= _affine_convolution(one, inputs, middle, 3)
                else:
                    shapes |= _convolution(f"{one}.conv1", inputs, middle, 1)
                    shapes |= _affine_convolution(f"{one}.conv2", 1, middle, 5)
            joined, half = channels + 3 * middle, outputs // 2
            shapes |= _affine_convolution(f"{name}.aggregation.0", joined, half, 1)
            shapes |= _affine_convolution(f"{name}.aggregation.1", half, outputs, 1)
            channels = outputs
    return shapes


def _convolution(name, inputs, outputs, kernel):
    weight = {f"{name}.conv.weight": (outputs, inputs, kernel, kernel)}
    return weight | _norm(f"{name}.bn", outputs)


def _affine_convolution(name, inputs, outputs, kernel):
    """Returns the shapes of a convolution before a learnable affine block."""
    affine = {f"{name}.lab.scale": (1,), f"{name}.lab.bias": (1,)}
    return _convolution(name, inputs, outputs, kernel) | affine


def vit_shapes(width, patch, positions, *, blocks=12, scaled=False, registers=0):
    """Returns the shapes of the tensors of a vision transformer of timm by name.

    Args:
        width: Channels.
        patch: Side of a patch.
        positions: Number of embeddings of positions.
        blocks: Their number.
        scaled: Whether residual branches are scaled, as in DINOv2.
        registers: Number of register tokens.
    """
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, positions, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    shapes |= {"reg_token": (1, registers, width)} if registers else {}
    for block in range(blocks):
        name = f"blocks.{block}"
        for layer, outputs, inputs in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):
            shapes[f"{name}.{layer}.weight"] = (outputs, inputs)
            shapes[f"{name}.{layer}.bias"] = (outputs,)
        for layer in ("norm1", "norm2"):
            shapes |= {f"{name}.{layer}.{part}": (width,) for part in ("weight", "bias")}
        if scaled:
            shapes |= {f"{name}.{layer}.gamma": (width,) for layer in ("ls1", "ls2")}
    return shapes


def _norm(name, channels):
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts}


def timm_directory(folder, tensors=None, architecture="resnet18", model_args=None, **pretrained):
    """Writes a directory as timm does; a value None leaves out what was pretrained.

    Args:
        folder: A directory.
        tensors: Arrays by name; None for no weights.
        architecture: Its name.
        model_args: What is changed of it.
        **pretrained: Changes to `pretrained_cfg`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {key: value for key, value in (IMAGENET | pretrained).items() if value is not None}
    config = {"architecture": architecture, "num_classes": 1000, "pretrained_cfg": found}
    config |= {} if model_args is None else {"model_args": model_args}
    (folder / "config.json").write_text(json.dumps(config))
    if tensors is not None:
        (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    return folder
