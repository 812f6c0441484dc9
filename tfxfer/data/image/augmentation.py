"""Random changes to training images: where pixels go, and what becomes of them, in tf.data.

They are not part of the model, since its export would keep them. The changes of an image depend on
(seed, epoch, index) only, not on its batch or the order of processing.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.policy import POLICY_DRAWS, Choices, movements, recolored

NO_CHANGES = AugmentConfig()

# One number each for flip, shift right, shift down, zoom, rotation.
_DRAWS = 5
# And for the area of a crop, its aspect ratio, its place from left to right and from top to bottom.
_CROP_DRAWS = 4

_WIDEST_CROP = math.log(4 / 3)


def draw(num_examples: int, seed: tf.Tensor, config: AugmentConfig = NO_CHANGES) -> tf.Tensor:
    """Returns the random numbers for one epoch, a row for each example by its index.

    Args:
        num_examples: Of the split.
        seed: Two integers made from the seed of the run and the epoch.
        config: The changes that they are for.

    Returns:
        Uniform in [0, 1), float32, shape (num_examples, 5), or (num_examples, 12) for crops and
        policies.
    """
    # All at once, as it takes 25 microseconds to draw for one example alone. Two calls, as one for
    # all columns would change the first ones, and so the runs that only use these.
    first = tf.random.stateless_uniform((num_examples, _DRAWS), seed, alg="philox")
    if not _is_strong(config):
        return first
    seed = tf.random.fold_in(seed, 1, alg="philox")
    columns = _CROP_DRAWS + POLICY_DRAWS
    others = tf.random.stateless_uniform((num_examples, columns), seed, alg="philox")
    return tf.concat([first, others], axis=1)


def changes_images(config: AugmentConfig) -> bool:
    """Tells whether the settings change images at all."""
    simple = config.flip, config.shift, config.zoom, config.rotation
    return any(simple) or _is_strong(config)


def _is_strong(config: AugmentConfig) -> bool:
    """Tells whether there is more to do than flip, shift, zoom and rotation."""
    return config.crop < 1 or config.policy != "none"


def augment_batch(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Returns the images with random changes.

    Args:
        images: uint8 or float in [0, 255], shape (batch, height, width, 3).
        draws: A row of `draw` for each image, shape (batch, 5 or 12).
        config: Which changes, and their ranges; a setting of None changes nothing.

    Returns:
        float32 in [0, 255], of the shape of `images`; the images themselves where nothing changes.
    """
    if not changes_images(config):
        return images
    images = tf.convert_to_tensor(images)
    if _is_strong(config):
        return _strongly_changed(images, draws, config)
    balanced = 2 * draws - 1  # in [-1, 1)
    size = _size(images)
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


def _size(images: tf.Tensor) -> tf.Tensor:
    """Returns width and height, float32."""
    return tf.cast(tf.shape(images)[2:0:-1], tf.float32)


def _strongly_changed(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Returns the images of `augment_batch` with crops, a policy or both, all in one warp."""
    first, crop, policy = tf.split(draws, [_DRAWS, _CROP_DRAWS, POLICY_DRAWS], axis=1)
    size = _size(images)
    balanced = 2 * first - 1
    # From the result to the image: turned back, mirrored, scaled, moved to its place.
    mirror = tf.where((first[:, 0] < 0.5) & bool(config.flip), -1.0, 1.0)
    matrix = tf.linalg.diag(tf.stack([mirror, tf.ones_like(mirror)], axis=1))
    matrix @= rotations(balanced[:, 4] * math.radians(config.rotation or 0))
    if config.crop < 1:
        shares, places = crop_boxes(crop, config.crop)
        matrix = tf.linalg.diag(shares) @ matrix
        offset = (places - 0.5) * size
    else:
        matrix /= (1 + balanced[:, 3] * (config.zoom or 0))[:, None, None]
        shift = tf.round(balanced[:, 1:3] * (config.shift or 0) * size)
        offset = -tf.linalg.matvec(matrix, shift)
    if config.policy == "none":
        return warp_affine(images, matrix, offset, turns=bool(config.rotation))
    choices = Choices.of(policy)
    turn, move = movements(choices, size)
    offset += tf.linalg.matvec(matrix, move)
    return recolored(warp_affine(images, matrix @ turn, offset), choices)


def crop_boxes(draws: tf.Tensor, smallest: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns random parts of an image, as Szegedy et al. (2015, arXiv:1409.4842, section 6).

    A part has between `smallest` and all of the area, evenly. The logarithm of its aspect ratio,
    relative to that of the image, is even between 3/4 and 4/3, or in so much of this as an image
    has room for. (RandomResizedCrop of torchvision draws again where there is no room, so that it
    has fewer of the largest crops.) Its place is even among all places within the image.

    Args:
        draws: Uniform in [0, 1): area, aspect ratio, place from left to right and from top to
            bottom, shape (number, 4).
        smallest: The smallest share of the area, in (0, 1].

    Returns:
        Width and height of the parts, in (0, 1], shape (number, 2), and x and y of their centers,
        in (0, 1), shape (number, 2); both are fractions of the image's sides.
    """
    area = 1 - (1 - smallest) * draws[:, 0]
    widest = tf.minimum(_WIDEST_CROP, -tf.math.log(area))
    stretch = tf.exp(widest * (2 * draws[:, 1] - 1) / 2)
    side = tf.sqrt(area)
    # Rounding must not make it larger than the image.
    shares = tf.minimum(tf.stack([side * stretch, side / stretch], axis=1), 1)
    return shares, shares / 2 + draws[:, 2:] * (1 - shares)


def rotations(angles: tf.Tensor) -> tf.Tensor:
    """Returns matrices that turn an image counterclockwise, the way back; see `warp_affine`.

    Args:
        angles: Radians, shape (batch,).

    Returns:
        Shape (batch, 2, 2).
    """
    cosine, sine = tf.cos(angles), tf.sin(angles)
    rows = [tf.stack([cosine, -sine], axis=1), tf.stack([sine, cosine], axis=1)]
    return tf.stack(rows, axis=1)


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
    return _between(images, x, y)


@_compiled
def warp_affine(
    images: tf.Tensor, matrix: tf.Tensor, offset: tf.Tensor, *, turns: bool = True
) -> tf.Tensor:
    """Returns the images after any affine transform each, bilinear, so that they blur only once.

    The pixel at p of a result, from its center, is that at `matrix @ p + offset` of the image;
    where this lies outside, that of the mirror image of the picture at its border.

    Four pixels around each point are looked at: exact where a result is as large as its origin or
    larger. Crops are never made smaller here, as images come in the size that the model takes; what
    is made smaller is not smoothed before (no antialias).

    Args:
        images: Shape (batch, height, width, 3).
        matrix: To x and y from x and y, shape (batch, 2, 2).
        offset: Pixels to the right and down, shape (batch, 2).
        turns: False where all matrices are diagonal, which takes less time.

    Returns:
        float32, of the shape of `images`.
    """
    size = _size(images)
    to_right = (tf.range(size[0]) - (size[0] - 1) / 2)[None, None, :]  # (1, 1, width)
    down = (tf.range(size[1]) - (size[1] - 1) / 2)[None, :, None]  # (1, height, 1)
    x, y = _of_images(matrix[:, 0, 0]) * to_right, _of_images(matrix[:, 1, 1]) * down
    if turns:
        x += _of_images(matrix[:, 0, 1]) * down
        y += _of_images(matrix[:, 1, 0]) * to_right
    x += _of_images(offset[:, 0]) + (size[0] - 1) / 2
    y += _of_images(offset[:, 1]) + (size[1] - 1) / 2
    return _between(images, x, y)


def _between(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns what stands between the pixels of images that are mirrored without end, float32."""
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

    def from_center(side: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        side = tf.cast(side, tf.float32)
        return (tf.range(side) - (side - 1) / 2 - moved[:, None]) / zoom[:, None]

    # The way back: (x, y) -> center + mirror * rotate((x, y) - center - shift) / zoom.
    x = from_center(width, shift[:, 0])[:, None, :]  # (batch, 1, width)
    y = from_center(height, shift[:, 1])[:, :, None]  # (batch, height, 1)
    if rotation is not None:
        cosine, sine = _of_images(tf.cos(rotation)), _of_images(tf.sin(rotation))
        x, y = cosine * x - sine * y, sine * x + cosine * y
    x *= _of_images(tf.where(flip, -1.0, 1.0))
    x += tf.cast(width - 1, tf.float32) / 2
    y += tf.cast(height - 1, tf.float32) / 2
    return x, y


def _of_images(numbers: tf.Tensor) -> tf.Tensor:
    """Returns numbers of images, (batch,), as they count for all pixels: (batch, 1, 1)."""
    return numbers[:, None, None]


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
