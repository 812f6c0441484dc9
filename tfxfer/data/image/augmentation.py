"""Random changes to training images: flip, shift, zoom and rotation, in tf.data.

They are not part of the model, since its export would keep them. The changes of an image depend on
(seed, epoch, index) only, not on its batch or the order of processing.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from tfxfer.config.schema import AugmentConfig

NO_CHANGES = AugmentConfig()

# One number each for flip, shift right, shift down, zoom, rotation.
_DRAWS = 5


def draw(num_examples: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns the random numbers for one epoch, a row for each example by its index.

    Args:
        num_examples: Of the split.
        seed: Two integers made from the seed of the run and the epoch.

    Returns:
        Uniform in [0, 1), float32, shape (num_examples, 5).
    """
    # All at once, as it takes 25 microseconds to draw for one example alone.
    return tf.random.stateless_uniform((num_examples, _DRAWS), seed, alg="philox")


def changes_images(config: AugmentConfig) -> bool:
    """Tells whether the settings change images at all."""
    return any((config.flip, config.shift, config.zoom, config.rotation))


def augment_batch(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Returns the images with random changes.

    Args:
        images: uint8 or float in [0, 255], shape (batch, height, width, 3).
        draws: A row of `draw` for each image, shape (batch, 5).
        config: Which changes, and their ranges; a setting of None changes nothing.

    Returns:
        float32 in [0, 255], of the shape of `images`; the images themselves where nothing changes.
    """
    if not changes_images(config):
        return images
    images = tf.convert_to_tensor(images)
    balanced = 2 * draws - 1  # in [-1, 1)
    size = tf.cast(tf.shape(images)[2:0:-1], tf.float32)  # width, height
    return warp(
        images,
        flip=(draws[:, 0] < 0.5) & bool(config.flip),
        # Whole pixels: a shift alone then blurs nothing.
        shift=tf.round(balanced[:, 1:3] * (config.shift or 0) * size),
        zoom=1 + balanced[:, 3] * (config.zoom or 0),
        rotation=balanced[:, 4] * math.radians(config.rotation) if config.rotation else None,
        # Exact, and faster, where no point falls between pixels.
        interpolated=bool(config.zoom or config.rotation),
    )


def _compiled(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Has XLA make one pass over the pixels of what a function does.

    That takes a third of the time of TensorFlow's own operations for crops and projections.
    """
    compiled: Callable[..., tf.Tensor] = tf.function(function, autograph=False, jit_compile=True)
    return compiled


@_compiled
def warp(
    images: tf.Tensor,
    *,
    flip: tf.Tensor,
    shift: tf.Tensor,
    zoom: tf.Tensor,
    rotation: tf.Tensor | None = None,
    interpolated: bool = True,
) -> tf.Tensor:
    """Returns the images after one affine transform each, with a single interpolation.

    In this order: horizontal flip, zoom and rotation about the center, shift. Pixels outside the
    image are filled by reflection.

    Args:
        images: Shape (batch, height, width, 3).
        flip: Which images are mirrored, shape (batch,).
        shift: Pixels to the right and down, shape (batch, 2).
        zoom: Factors, shape (batch,); above 1 zooms in.
        rotation: Radians, shape (batch,); positive is counterclockwise. None is no rotation, and
            faster.
        interpolated: Bilinear between the pixels of the image; otherwise the nearest one.

    Returns:
        float32, of the shape of `images`.
    """
    x, y = _origins(tf.shape(images)[1], tf.shape(images)[2], flip, shift, zoom, rotation)
    if not interpolated:
        return _pixels(images, tf.round(x), tf.round(y))
    left, top = tf.floor(x), tf.floor(y)
    right_share, lower_share = (x - left)[..., None], (y - top)[..., None]

    def between(row: tf.Tensor) -> tf.Tensor:
        first = _pixels(images, left, row)
        return first + (_pixels(images, left + 1, row) - first) * right_share

    upper = between(top)
    return upper + (between(top + 1) - upper) * lower_share


def _origins(
    height: tf.Tensor,
    width: tf.Tensor,
    flip: tf.Tensor,
    shift: tf.Tensor,
    zoom: tf.Tensor,
    rotation: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the points of the images that the pixels of their results come from; see `warp`.

    Returns:
        x and y in pixels, each of shape (batch, height, width), or 1 where all are alike.
    """

    def of_images(numbers: tf.Tensor) -> tf.Tensor:
        return numbers[:, None, None]  # (batch, 1, 1)

    def from_center(side: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        side = tf.cast(side, tf.float32)
        return (tf.range(side) - (side - 1) / 2 - moved[:, None]) / zoom[:, None]

    # The way back: (x, y) -> center + mirror * rotate((x, y) - center - shift) / zoom.
    x = from_center(width, shift[:, 0])[:, None, :]  # (batch, 1, width)
    y = from_center(height, shift[:, 1])[:, :, None]  # (batch, height, 1)
    if rotation is not None:
        cosine, sine = of_images(tf.cos(rotation)), of_images(tf.sin(rotation))
        x, y = cosine * x - sine * y, sine * x + cosine * y
    x *= of_images(tf.where(flip, -1.0, 1.0))
    x += tf.cast(width - 1, tf.float32) / 2
    y += tf.cast(height - 1, tf.float32) / 2
    return x, y


def _pixels(images: tf.Tensor, column: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Returns what stands at whole places of images that are mirrored without end, float32."""
    row = _mirrored(row, tf.shape(images)[1])
    column = _mirrored(column, tf.shape(images)[2])
    shape = tf.broadcast_dynamic_shape(tf.shape(row), tf.shape(column))
    places = tf.stack([tf.broadcast_to(row, shape), tf.broadcast_to(column, shape)], axis=-1)
    return tf.cast(tf.gather_nd(images, places, batch_dims=1), tf.float32)


def _mirrored(index: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Returns which pixel of a side, int32, stands at whole places of the side mirrored."""
    period = 2 * tf.cast(side, tf.float32)
    index -= period * tf.floor(index / period)
    # A whole number of periods may be left as one, where XLA multiplies by the reciprocal.
    return tf.cast(tf.maximum(tf.minimum(index, period - 1 - index), 0), tf.int32)
