"""From pixels in [0, 255] to what a backbone was trained on."""

from typing import Any

import keras

# Channel means of ImageNet in [0, 255], RGB, as Caffe's models subtract them (Simonyan & Zisserman
# 2014, arXiv:1409.1556), and mean and standard deviation in [0, 1] as Torch's models use them.
_CAFFE_MEAN = (123.68, 116.779, 103.939)

_TORCH_MEAN = (0.485, 0.456, 0.406)

_TORCH_DEVIATION = (0.229, 0.224, 0.225)


def normalise(pixels: str, x: Any) -> Any:
    """Returns RGB in [0, 255] as the backbone was trained to see it.

    Keras' own layers and operations only, in float32: a saved model needs nothing of ours.
    """
    if pixels == "symmetric":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise", dtype="float32")(x)
    if pixels == "torch":
        scale = [1 / (255 * deviation) for deviation in _TORCH_DEVIATION]
        offset = [-mean / dev for mean, dev in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)]
        return keras.layers.Rescaling(scale, offset, name="normalise", dtype="float32")(x)
    if pixels == "caffe":
        offset = [-mean for mean in _CAFFE_MEAN]
        x = keras.layers.Rescaling(1.0, offset, name="normalise", dtype="float32")(x)
        return keras.ops.flip(x, axis=-1)  # RGB to BGR
    return x
