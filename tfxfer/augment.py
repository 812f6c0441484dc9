"""Random changes to training images: flip, shift, zoom and rotation, in tf.data.

They are not part of the model, whose export would keep them random. What happens to an image is
decided by numbers drawn for it from (seed, epoch, index), whatever its batch or the order of work.
"""

import math

import tensorflow as tf

from tfxfer.config import AugmentConfig

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


def augment_batch(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Returns the images, each changed as its random numbers say.

    Args:
        images: uint8 or float in [0, 255], shape (batch, height, width, 3).
        draws: A row of `draw` for each image, shape (batch, 5).
        config: Which changes, and how far they go; a setting of None changes nothing.

    Returns:
        float32 in [0, 255], of the shape of `images`.
    """
    if not any((config.flip, config.shift, config.zoom, config.rotation)):
        return tf.cast(images, tf.float32)
    balanced = 2 * draws - 1  # in [-1, 1)
    size = tf.cast(tf.shape(images)[2:0:-1], tf.float32)  # width, height
    only_moves_pixels = not config.zoom and not config.rotation
    return warp(
        images,
        flip=(draws[:, 0] < 0.5) & bool(config.flip),
        # Whole pixels: a shift alone then blurs nothing.
        shift=tf.round(balanced[:, 1:3] * (config.shift or 0) * size),
        zoom=1 + balanced[:, 3] * (config.zoom or 0),
        rotation=balanced[:, 4] * math.radians(config.rotation or 0),
        # Exact, and faster, where no point falls between pixels.
        interpolation="NEAREST" if only_moves_pixels else "BILINEAR",
    )


def warp(
    images: tf.Tensor,
    *,
    flip: tf.Tensor,
    shift: tf.Tensor,
    zoom: tf.Tensor,
    rotation: tf.Tensor,
    interpolation: str = "BILINEAR",
) -> tf.Tensor:
    """Returns the images after one projective transform each, so that they blur only once.

    In this order: mirrored left to right, scaled and turned about the centre, shifted. What comes
    into view is the mirror image of the picture at its border.

    Args:
        images: Shape (batch, height, width, 3).
        flip: Which images are mirrored, shape (batch,).
        shift: Pixels to the right and down, shape (batch, 2).
        zoom: Factors, shape (batch,); above 1 the picture grows.
        rotation: Radians, shape (batch,); above 0 the picture turns counterclockwise.
        interpolation: "BILINEAR" or "NEAREST", between the pixels of the image.

    Returns:
        float32, of the shape of `images`.
    """
    images = tf.cast(images, tf.float32)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    centre_x = tf.cast(width - 1, tf.float32) / 2
    centre_y = tf.cast(height - 1, tf.float32) / 2
    mirror = tf.where(flip, -1.0, 1.0)
    # The operation wants the way back, from a pixel of the result to a point of the image:
    # (x, y) -> centre + mirror * rotate((x, y) - centre - shift) / zoom.
    cosine, sine = tf.cos(rotation) / zoom, tf.sin(rotation) / zoom
    a, b = mirror * cosine, -mirror * sine
    c, d = sine, cosine
    from_x, from_y = centre_x + shift[:, 0], centre_y + shift[:, 1]
    zero = tf.zeros_like(zoom)
    transforms = [
        *(a, b, centre_x - a * from_x - b * from_y),
        *(c, d, centre_y - c * from_x - d * from_y),
        *(zero, zero),
    ]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(transforms, axis=1),  # (batch, 8)
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode="REFLECT",
    )
