"""A classifier split into a frozen and a trainable half."""

import dataclasses
import functools
from typing import Any

import keras


class FrozenLayer(keras.layers.Layer):
    """A model as a layer that runs in inference mode whatever it is called with.

    The layers after it get the same values as from cached activations. Without it, dropout and
    stochastic depth inside some backbones would act on frozen weights.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(dtype="float32", autocast=False)
        self.model = model

    def call(self, images: Any) -> Any:
        """Returns what the model gives of images in [0, 255]."""
        return self.model(images, training=False)

    def compute_output_spec(self, images: Any) -> Any:
        """Returns the shape and type of the output."""
        return self.model.compute_output_spec(images)


@dataclasses.dataclass(frozen=True)
class Halves:
    """A classifier split into a frozen and a trainable half.

    Attributes:
        frozen: RGB images in [0, 255] to activations, in inference mode.
        trained: Activations to float32 logits, (batch, num_classes); all that is trained is in it.
        costly: Whether the frozen half has part of the backbone, so that caching its activations
            pays.
        layer: The layer of the backbone whose output the activations are; None if they are
            something else.
    """

    frozen: keras.Model
    trained: keras.Model
    costly: bool
    layer: str | None = None

    @functools.cached_property
    def whole(self) -> keras.Model:
        """Images to logits, for images that are different in each epoch."""
        images = keras.Input(self.frozen.input_shape[1:])
        return keras.Model(images, self.trained(FrozenLayer(self.frozen)(images)))
