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
