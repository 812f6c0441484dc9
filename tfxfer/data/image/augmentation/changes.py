"""Random changes to training images: where pixels go, and what becomes of them, in tf.data.

They are not part of the model, since its export would keep them. The changes of an image depend on
(seed, epoch, index) only, not on its batch or the order of processing.
"""

import dataclasses
import math

import tensorflow as tf

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.augmentation.policy import chosen, movements, policy_draws, recolored
from tfxfer.data.image.augmentation.warping import rotations, size_of, warp, warp_affine

NO_CHANGES = AugmentConfig()

# One number each for flip, shift right, shift down, zoom, rotation.
NUM_DRAWS = 5
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
        TrivialAugment, 15 for RandAugment.
    """
    # All at once, as it takes 25 microseconds to draw for one example alone. Two calls, as one for
    # all columns would change the first ones, and so the runs that only use these.
    first = tf.random.stateless_uniform((num_examples, NUM_DRAWS), seed, alg="philox")
    if not _is_strong(config):
        return first
    seed = tf.random.fold_in(seed, 1, alg="philox")
    columns = _CROP_DRAWS + policy_draws(config.policy)
    others = tf.random.stateless_uniform((num_examples, columns), seed, alg="philox")
    return tf.concat([first, others], axis=1)


def changes_images(config: AugmentConfig) -> bool:
    """Tells whether the settings change images at all."""
    simple = config.flip, config.shift, config.zoom, config.rotation
    return any(simple) or _is_strong(config)


def only_flips(config: AugmentConfig) -> bool:
    """Tells whether images are mirrored or not, and nothing else happens to them."""
    still = dataclasses.replace(config, flip=False)
    mixes = config.mixup or config.cutmix
    return bool(config.flip) and not changes_images(still) and not mixes


def flips(draws: tf.Tensor) -> tf.Tensor:
    """Returns which images are mirrored, bool, (num_examples,), of the rows of `draw`."""
    return draws[:, 0] < 0.5


def _is_strong(config: AugmentConfig) -> bool:
    """Tells whether there is more to do than flip, shift, zoom and rotation."""
    return config.crop < 1 or config.policy != "none"


def augment_batch(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Returns the images with random changes.

    Args:
        images: uint8 or float in [0, 255], shape (batch, height, width, 3).
        draws: A row of `draw` for each image, shape (batch, 5, 12 or 15).
        config: Which changes, and their ranges; a setting of None changes nothing.

    Returns:
        float32 in [0, 255], of the shape of `images`; of their type, too, where they are at most
        mirrored.
    """
    if not changes_images(config):
        return images
    images = tf.convert_to_tensor(images)
    if only_flips(config):  # nothing to compile
        return tf.where(flips(draws)[:, None, None, None], images[:, :, ::-1], images)
    if _is_strong(config):
        return _strongly_changed(images, draws, config)
    balanced = 2 * draws - 1  # in [-1, 1)
    size = size_of(images)
    return warp(
        images,
        flip=flips(draws) & bool(config.flip),
        # Whole pixels: a shift alone then blurs nothing.
        shift=tf.round(balanced[:, 1:3] * (config.shift or 0) * size),
        zoom=1 + balanced[:, 3] * (config.zoom or 0),
        rotation=balanced[:, 4] * math.radians(config.rotation) if config.rotation else None,
        # Exact, and faster, where no point falls between pixels.
        interpolated=bool(config.zoom or config.rotation),
    )


def _strongly_changed(images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Returns the images of `augment_batch` with crops, a policy or both, all in one warp.

    Of two operations those that move pixels come first, so that images blur only once.
    """
    first, crop, policy = tf.split(draws, [NUM_DRAWS, _CROP_DRAWS, -1], axis=1)
    size = size_of(images)
    balanced = 2 * first - 1
    # From the result to the image: turned back, mirrored, scaled, moved to its place.
    mirror = tf.where(flips(first) & bool(config.flip), -1.0, 1.0)
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
    operations = chosen(policy, config.policy)
    for choices in operations:
        turn, move = movements(choices, size)
        offset += tf.linalg.matvec(matrix, move)
        matrix @= turn
    images = warp_affine(images, matrix, offset)
    for choices in operations:
        images = recolored(images, choices)
    return images


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
