"""Activations that are kept while features are computed, so that no image passes twice."""

import functools
from typing import Self

import keras
import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.data.cache import places
from tfxfer.data.image.dataset import Images
from tfxfer.models.classifier import Classifier
from tfxfer.system.digests import Ids
from tfxfer.system.processes.team import current
from tfxfer.training.examples import Floats

# Most bytes that the activations of training and validation would take. With more images the time
# that this saves is lost in that of the epochs.
_MOST_BYTES = 2**28


def bytes_per_image(output: keras.KerasTensor) -> int:
    """Returns the size of a layer's activations of one image, from its output, (batch, ...)."""
    return int(np.dtype(output.dtype).itemsize * np.prod(output.shape[1:]))


class KeptActivations:
    """Activations of a layer that the finetune phase needs, from the pass that gives features.

    Args:
        classifier: In float32.
        layer: The layer of its backbone.

    Attributes:
        layer: See above.
    """

    def __init__(self, classifier: Classifier, layer: str) -> None:
        self._classifier, self.layer = classifier, layer
        self._digests: list[Ids] = []
        self._rows: list[Floats] = []

    @classmethod
    def of(cls, classifier: Classifier, config: DecidedFit, num_images: int) -> Self | None:
        """Returns those of a fit; None where its finetune phase needs none, or far too many.

        Args:
            classifier: In float32.
            config: The settings of the fit.
            num_images: Images of training and validation together.
        """
        unfreeze = config.finetune.unfreeze if config.finetune.epochs else "none"
        layer = classifier.frozen_layer(unfreeze)
        # Elsewhere rounding may depend on what else a graph returns.
        if layer is None or current().count > 1 or keras.backend.backend() != "tensorflow":
            return None
        num_bytes = num_images * bytes_per_image(classifier.folded.outputs[layer])
        return None if num_bytes > _MOST_BYTES else cls(classifier, layer)

    @functools.cached_property
    def model(self) -> keras.Model:
        """Images in [0, 255] to features, and to the output of the layer."""
        return self._classifier.features_beside(self.layer)

    def add(self, digests: Ids, rows: Floats) -> None:
        """Keeps the activations of some images, (num_images, ...)."""
        self._digests.append(digests)
        self._rows.append(rows)

    def rows(self, images: Images) -> Floats | None:
        """Returns the activations of images, (num_images, ...); None if some are missing."""
        if not self._digests:
            return None
        place = places(images.digests, np.concatenate(self._digests))
        return None if (place < 0).any() else np.concatenate(self._rows)[place]
