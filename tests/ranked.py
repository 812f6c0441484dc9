"""Two small backbones with weights that are available locally, for tests of rankings."""

import dataclasses
import functools
import pathlib
import tempfile

from conftest import write_weights
from small_network import SMALL

from tfxfer.models.backbones.registry import BACKBONES

# The first has a published accuracy on ImageNet, the second has none.
NAMES = ("small_a", "small_b")


def register(patch, home, weights_file):
    """Registers the backbones; `weights_file` are the weights of the first."""
    models = home / "models"
    models.mkdir(parents=True)
    patch.setenv("KERAS_HOME", str(home))
    for name, top1 in zip(NAMES, (0.7, None)):
        file = f"{name}.weights.h5"
        row = dataclasses.replace(SMALL, name=name, weights_file=file, imagenet_top1=top1)
        patch.setitem(BACKBONES, name, row)
    (models / "small_a.weights.h5").write_bytes(weights_file.read_bytes())
    (models / "small_b.weights.h5").write_bytes(_weights_at_64_pixels())
    return models


@functools.cache
def _weights_at_64_pixels():
    """Returns a weights file of the small network whose statistics are those of larger images."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_weights(SMALL.name, 64, pathlib.Path(folder, "small.weights.h5"))
        return path.read_bytes()


class Passes:
    """Counts the images that pass a backbone on their way to features."""

    def __init__(self, patch):
        from tfxfer.training.frozen import features

        self.num_images, self.fail_after = 0, None
        compute = features.predict_batches

        def counted(model, batches, num_examples, *others):
            if self.fail_after is not None and self.num_images >= self.fail_after:
                raise KeyboardInterrupt
            self.num_images += num_examples
            return compute(model, batches, num_examples, *others)

        patch.setattr(features, "predict_batches", counted)

    def since(self):
        """Returns the number since the last call."""
        number, self.num_images = self.num_images, 0
        return number
