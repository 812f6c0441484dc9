"""How long a backbone takes for one image on this machine."""

import statistics
import time

import keras
import numpy as np

from tfxfer.config.frame import AnySize, sides
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.weights import load_backbone

_WARMUPS, _REPEATS = 3, 10


def milliseconds_per_image(backbone: Backbone) -> float:
    """Returns the median inference time of a batch of one image, in milliseconds.

    The image has the native size of the backbone, and the weights are random: values do not change
    the time. Without XLA, as exported models run. The first calls build the graph and are not
    counted.

    Args:
        backbone: The backbone to build and run.
    """
    model = load_backbone(backbone, backbone.native_size, weights="none")
    milliseconds = milliseconds_of(model, backbone.native_size)
    del model
    keras.backend.clear_session()  # the next may be as large as the memory
    return milliseconds


def milliseconds_of(model: keras.Model, size: AnySize) -> float:
    """Returns the median inference time of a model for a batch of one image, in milliseconds.

    Args:
        model: Any model of images; it is compiled, without XLA.
        size: Size of its input, in pixels.
    """
    model.compile(jit_compile=False)
    shape = (1, *sides(size), model.input_shape[-1])
    image = np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
    for _ in range(_WARMUPS):
        model.predict_on_batch(image)
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        model.predict_on_batch(image)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)
