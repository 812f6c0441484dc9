"""Random operations on each image: TrivialAugment does one, RandAugment two.

The operations and their strengths are the wide ones of table 1 of TrivialAugment (Müller & Hutter
2021, arXiv:2103.10158), as in TrivialAugmentWide of torchvision. RandAugment (Cubuk et al. 2020,
arXiv:1909.13719) has the same operations, each at one strength of its own. Those that move pixels
are matrices for a warp; those that change colors are done here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from tfxfer.config.schema import AugmentPolicy

# Numbers drawn for each operation on an image: operation, strength, sign.
_DRAWS = 3

# How many operations RandAugment does, and how strong they are, 9 of 30 levels: the paper's two
# numbers for ResNet50 on ImageNet, as torchvision counts them.
_NUM_RANDOM, _RANDOM_STRENGTH = 2, 9 / 30

# Degrees; a seventh of the side, which is 32 of 224 pixels; a factor of the way to the center.
_MOST_ROTATION, _MOST_SHIFT, _MOST_SHEAR = 135.0, 1 / 7, 0.99
_MOST_BLEND, _MOST_POSTERIZED = 0.99, 6
_LEVELS = 31  # of strength

# The weights of red, green and blue in gray (ITU-R BT.601).
_GRAY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Choices:
    """What happens to each image of a batch.

    Attributes:
        operation: The place in `OPERATIONS`, int32, shape (batch,).
        strength: One of 31 from 0 to 1, shape (batch,).
        sign: -1 or 1, for operations that have two directions, shape (batch,).
    """

    operation: tf.Tensor
    strength: tf.Tensor
    sign: tf.Tensor

    @classmethod
    def of(cls, draws: tf.Tensor) -> "Choices":
        """Returns the choices that numbers in [0, 1), shape (batch, 3), stand for; all even."""

        def one_of(number: int, drawn: tf.Tensor) -> tf.Tensor:
            # Rounding may reach the number itself.
            return tf.minimum(tf.cast(drawn * number, tf.int32), number - 1)

        strength = tf.cast(one_of(_LEVELS, draws[:, 1]), tf.float32) / (_LEVELS - 1)
        sign = tf.where(draws[:, 2] < 0.5, -1.0, 1.0)
        return cls(one_of(len(OPERATIONS), draws[:, 0]), strength, sign)


def policy_draws(policy: AugmentPolicy) -> int:
    """Returns how many numbers are drawn for the operations on an image.

    Examples:
        >>> policy_draws("trivial"), policy_draws("rand")
        (3, 6)
    """
    return _DRAWS * (_NUM_RANDOM if policy == "rand" else 1)


def chosen(draws: tf.Tensor, policy: AugmentPolicy) -> list[Choices]:
    """Returns the operations on each image of a batch, one after the other.

    Args:
        draws: Uniform in [0, 1), shape (batch, policy_draws(policy)).
        policy: "trivial" or "rand".
    """
    number = policy_draws(policy) // _DRAWS
    choices = [Choices.of(part) for part in tf.split(draws, number, axis=1)]
    if policy != "rand":
        return choices
    strengths = tf.constant([_strength_in_rand(name) for name in OPERATIONS])
    return [
        Choices(one.operation, tf.gather(strengths, one.operation), one.sign) for one in choices
    ]


def _strength_in_rand(name: str) -> float:
    """Returns the strength of an operation in RandAugment, as a share of its wide one.

    The strongest there are those of AutoAugment (Cubuk et al. 2019, arXiv:1805.09501, table 6).
    """
    most = {
        "rotate": 30 / _MOST_ROTATION,
        "shear x": 0.3 / _MOST_SHEAR,
        "shear y": 0.3 / _MOST_SHEAR,
        "translate x": 150 / 331 / _MOST_SHIFT,
        "translate y": 150 / 331 / _MOST_SHIFT,
        "posterize": 4 / _MOST_POSTERIZED,
        "solarize": 1.0,
    }
    return _RANDOM_STRENGTH * most.get(name, 0.9 / _MOST_BLEND)


def movements(choices: Choices, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the affine transforms of the operations that move pixels; the identity for others.

    Images are sheared and turned about their center, and shifted by whole pixels.

    Args:
        choices: What happens to each image.
        size: Width and height in pixels, float32.

    Returns:
        Matrices, shape (batch, 2, 2), and offsets, shape (batch, 2), of `warping.warp_affine`.
    """
    signed = choices.strength * choices.sign

    def of(name: str, most: tf.Tensor | float) -> tf.Tensor:
        return tf.where(choices.operation == OPERATIONS.index(name), signed * most, 0.0)

    angle = of("rotate", math.radians(_MOST_ROTATION))
    cosine, sine = tf.cos(angle), tf.sin(angle)
    upper = tf.stack([cosine, of("shear x", _MOST_SHEAR) - sine], axis=1)
    lower = tf.stack([of("shear y", _MOST_SHEAR) + sine, cosine], axis=1)
    offset = [of(f"translate {axis}", _MOST_SHIFT * size[at]) for at, axis in enumerate("xy")]
    return tf.stack([upper, lower], axis=1), tf.round(tf.stack(offset, axis=1))


def recolored(images: tf.Tensor, choices: Choices) -> tf.Tensor:
    """Returns the images, each after its operation if that changes colors.

    Each image is touched by its own operation alone: they are sorted by operation, and put together
    again in their order.

    Args:
        images: float32 in [0, 255], shape (batch, height, width, 3).
        choices: What happens to each.

    Returns:
        float32 in [0, 255], of the shape of `images`.
    """
    number = len(_COLORS) + 1
    names = list(_COLORS)
    groups = [names.index(name) + 1 if name in _COLORS else 0 for name in OPERATIONS]
    group = tf.gather(tf.constant(groups), choices.operation)
    places = tf.dynamic_partition(tf.range(tf.shape(images)[0]), group, number)

    def changed(place: tf.Tensor, change: Callable[..., tf.Tensor]) -> tf.Tensor:
        strength, sign = tf.gather(choices.strength, place), tf.gather(choices.sign, place)
        chosen = tf.gather(images, place)
        found = change(chosen, strength[:, None, None, None], sign[:, None, None, None])
        return tf.clip_by_value(found, 0.0, 255.0)

    parts = [tf.gather(images, places[0])]
    parts += [changed(*one) for one in zip(places[1:], _COLORS.values(), strict=True)]
    return tf.ensure_shape(tf.dynamic_stitch(places, parts), images.shape)


def _blended(
    images: tf.Tensor, other: tf.Tensor | float, strength: tf.Tensor, sign: tf.Tensor
) -> tf.Tensor:
    """Returns images that are moved towards others, or away from them where the sign is 1."""
    return other + (images - other) * (1 + _MOST_BLEND * strength * sign)


def _gray(images: tf.Tensor) -> tf.Tensor:
    """Returns the gray levels, shape (batch, height, width, 1)."""
    # Several times as fast as a sum over three numbers.
    return tf.matmul(images, tf.constant(_GRAY)[:, None])


def _brightness(images: tf.Tensor, strength: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
    return _blended(images, 0.0, strength, sign)


def _contrast(images: tf.Tensor, strength: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
    # Whole numbers, whose sum is the same in any order.
    levels = tf.cast(tf.round(_gray(images)), tf.float64)
    total = tf.reduce_sum(levels, axis=(1, 2, 3), keepdims=True)
    mean = total / tf.cast(tf.math.reduce_prod(tf.shape(images)[1:3]), tf.float64)
    return _blended(images, tf.cast(tf.round(mean), tf.float32), strength, sign)


def _color(images: tf.Tensor, strength: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
    return _blended(images, _gray(images), strength, sign)


def _sharpness(images: tf.Tensor, strength: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
    # Smooth as Pillow: a pixel counts 5 times, each of its neighbors once. The border stays.
    inner = images[:, 1:-1, 1:-1]
    smooth = (9 * tf.nn.avg_pool2d(images, 3, 1, "VALID") + 4 * inner) / 13
    away = tf.pad(inner - smooth, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return images + away * (_MOST_BLEND * strength * sign)


def _posterize(images: tf.Tensor, strength: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    step = 2 ** tf.round(_MOST_POSTERIZED * strength)  # 8 to 2 bits are left
    return tf.floor(tf.round(images) / step) * step


def _solarize(images: tf.Tensor, strength: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    return tf.where(images < 255 * (1 - strength), images, 255 - images)


def _autocontrast(images: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
    least = tf.reduce_min(images, axis=(1, 2), keepdims=True)
    most = tf.reduce_max(images, axis=(1, 2), keepdims=True)
    # A channel of one level stays.
    varied = most - least > 0.5
    scale = tf.where(varied, 255 / tf.where(varied, most - least, 1.0), 1.0)
    return (images - tf.where(varied, least, 0.0)) * scale


def _equalize(images: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
    """Returns images whose levels are about equally frequent in each channel, as Pillow does it."""
    levels = tf.transpose(tf.cast(tf.round(images), tf.int32), (0, 3, 1, 2))
    shape = tf.shape(levels)
    levels = tf.reshape(levels, (shape[0] * shape[1], shape[2] * shape[3]))
    counts = tf.math.bincount(levels, minlength=256, maxlength=256, axis=-1)  # (channels, 256)
    brightest = tf.gather(counts, tf.reduce_max(levels, axis=1), batch_dims=1)
    step = ((shape[2] * shape[3] - brightest) // 255)[:, None]
    table = (step // 2 + tf.cumsum(counts, axis=1, exclusive=True)) // tf.maximum(step, 1)
    # Too few pixels, or one color alone: it stays.
    table = tf.where(step > 0, tf.minimum(table, 255), tf.range(256))
    found = tf.reshape(tf.gather(table, levels, batch_dims=1), shape)
    return tf.cast(tf.transpose(found, (0, 2, 3, 1)), tf.float32)


_COLORS: dict[str, Callable[..., tf.Tensor]] = {
    "brightness": _brightness,
    "color": _color,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}

_MOVES = ("shear x", "shear y", "translate x", "translate y", "rotate")

OPERATIONS = ("identity", *_MOVES, *_COLORS)
