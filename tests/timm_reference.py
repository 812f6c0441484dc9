"""Writes made-up weights and the features of a network of timm: `timm_reference.py NAME FOLDER`.

A program of its own, as PyTorch and TensorFlow do not always stand each other in one process.
"""

import pathlib
import sys

import numpy as np
from timm_files import made_up, timm_directory

SIZES = (64, 97)


def noise(size):
    """Returns two images of noise, as a network takes them, (2, size, size, 3)."""
    return np.random.default_rng(size).normal(size=(2, size, size, 3)).astype("float32")


def write(name, folder):
    """Writes the directory of a network, and `SIZE.npy` with features of noise of each size."""
    import timm
    import torch

    network = timm.create_model(name, pretrained=False).eval()
    tensors = {
        key: made_up(key, tuple(value.shape))
        for key, value in network.state_dict().items()
        if value.is_floating_point()
    }
    state = {key: torch.from_numpy(value) for key, value in tensors.items()}
    network.load_state_dict(state, strict=False)
    timm_directory(folder, tensors, name)
    for size in SIZES:
        with torch.no_grad():
            features = network.forward_features(torch.from_numpy(noise(size)).permute(0, 3, 1, 2))
        np.save(folder / f"{size}.npy", features.permute(0, 2, 3, 1).numpy())


if __name__ == "__main__":
    write(sys.argv[1], pathlib.Path(sys.argv[2]))
