"""MixUp and CutMix: each image of a batch is mixed with the next one, and its target likewise.

MixUp (Zhang et al. 2018, arXiv:1710.09412) adds up two images, CutMix (Yun et al. 2019,
arXiv:1905.04899) puts a box of one into the other. The loss is linear in the target, so a mixed
target means the losses of both labels, each with its share.
"""

import tensorflow as tf

from tfxfer.config.schema import AugmentConfig

# Numbers drawn for an image: its share in MixUp and in CutMix, where the box is from left to right
# and from top to bottom, and which of the two is done.
_UNIFORM_DRAWS = 3
MIXING_DRAWS = 2 + _UNIFORM_DRAWS


def mixes_images(config: AugmentConfig) -> bool:
    """Tells whether the settings mix images with others.

    Examples:
        >>> mixes_images(AugmentConfig()), mixes_images(AugmentConfig(mixup=0.2))
        (False, True)
    """
    return bool(config.mixup or config.cutmix)


def draw_mixing(num_examples: int, seed: tf.Tensor, config: AugmentConfig) -> tf.Tensor:
    """Returns the random numbers for one epoch, a row for each example by its index.

    Args:
        num_examples: Of the split.
        seed: Two integers made from the seed of the run and the epoch.
        config: The strengths of MixUp and CutMix.

    Returns:
        In [0, 1], float32, shape (num_examples, 5).
    """
    shares = [
        _beta(num_examples, tf.random.fold_in(seed, use, alg="philox"), strength)
        for use, strength in enumerate((config.mixup, config.cutmix))
    ]
    others = tf.random.stateless_uniform((num_examples, _UNIFORM_DRAWS), seed, alg="philox")
    return tf.concat([tf.stack(shares, axis=1), others], axis=1)


def _beta(number: int, seed: tf.Tensor, strength: float) -> tf.Tensor:
    """Returns numbers of the distribution Beta(strength, strength), or 1 for a strength of 0.

    It is the share that the first of two gamma variables has in their sum. By their logarithms, as
    they are too small for float32 where the strength is: a gamma variable of one more, times the
    root of a uniform one (Marsaglia & Tsang 2000, ACM TOMS 26).
    """
    if not strength:
        return tf.ones(number)
    gammas, uniforms = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    gamma = tf.random.stateless_gamma((2, number), gammas, alpha=1.0 + strength)
    # Above 0, so that no logarithm is infinite.
    uniform = 1 - tf.random.stateless_uniform((2, number), uniforms, alg="philox")
    first, second = tf.unstack(tf.math.log(gamma) + tf.math.log(uniform) / strength)
    return tf.sigmoid(first - second)


def mix_batch(
    images: tf.Tensor, draws: tf.Tensor, config: AugmentConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns each image mixed with the next one, the last with the first, and its own share.

    With both MixUp and CutMix the first row says which of them is done to all of the batch; it has
    either in half of the cases.

    Args:
        images: In [0, 255], shape (batch, height, width, 3).
        draws: A row of `draw_mixing` for each image, shape (batch, 5).
        config: The strengths of MixUp and CutMix, one of them above 0.

    Returns:
        float32 of the shape of the images, and shape (batch,), in [0, 1].
    """
    images = tf.cast(images, tf.float32)
    if not config.cutmix:
        return _mixup(images, draws)
    if not config.mixup:
        return _cutmix(images, draws)
    mixed, by_mixup = _mixup(images, draws)
    pasted, by_cutmix = _cutmix(images, draws)
    # The first row of an empty batch is a row of zeros.
    is_mixup = tf.reduce_sum(draws[:1, 4]) < 0.5
    return tf.where(is_mixup, mixed, pasted), tf.where(is_mixup, by_mixup, by_cutmix)


def _mixup(images: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    share = draws[:, 0]
    weight = share[:, None, None, None]
    return weight * images + (1 - weight) * _next(images), share


def _cutmix(images: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns images with a box of the next one, and the share of the pixels that are their own.

    The box has the image's aspect ratio, and its center may be at any pixel: what is outside is cut
    off, so that the share is that of the pixels, as in the code of the paper.
    """
    side = tf.sqrt(1 - draws[:, 1])

    def inside(length: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        """Returns which pixels of a side are in the box, (batch, length)."""
        full = tf.cast(length, tf.float32)
        cut = tf.floor(full * side)
        first = tf.floor(full * place) - tf.floor(cut / 2)
        pixels = tf.range(full)[None]
        return (pixels >= first[:, None]) & (pixels < (first + cut)[:, None])

    shape = tf.shape(images)
    across, down = inside(shape[2], draws[:, 2]), inside(shape[1], draws[:, 3])
    box = down[:, :, None] & across[:, None, :]  # (batch, height, width)
    share = 1 - tf.reduce_mean(tf.cast(box, tf.float32), axis=(1, 2))
    return tf.where(box[..., None], _next(images), images), share


def mix_targets(
    labels: tf.Tensor, weights: tf.Tensor | None, shares: tf.Tensor, num_classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the targets and sample weights of images that were mixed.

    The loss of an image is `share * weight * loss(label)` plus the same of the next image with the
    rest of the share. The result has this loss: a target is the mean of both, by their shares and
    weights, and its weight is their sum. Where there are several labels, unknown ones have no
    weight.

    Args:
        labels: int32, shape (batch,), or float32, shape (batch, num_classes), with NaN where
            unknown.
        weights: Sample weights in the shape of the labels; None weights all equally.
        shares: Of the image itself, shape (batch,).
        num_classes: How many classes or labels there are.

    Returns:
        Targets in [0, 1], float32, shape (batch, num_classes), NaN where nothing is known, and
        sample weights, float32, in the shape of `labels`.
    """
    if weights is None:
        weights = tf.ones_like(labels, tf.float32)
    if labels.shape.rank == 1:
        targets = tf.one_hot(labels, num_classes)
        ours, theirs = shares * weights, (1 - shares) * _next(weights)
        total = ours + theirs
        own = tf.math.divide_no_nan(ours, total)[:, None]
        return own * targets + (1 - own) * _next(targets), total
    is_known = tf.logical_not(tf.math.is_nan(labels))
    targets = tf.where(is_known, labels, 0.0)
    weights = tf.where(is_known, weights, 0.0)
    ours, theirs = shares[:, None] * weights, (1 - shares)[:, None] * _next(weights)
    total = ours + theirs
    mixed = (ours * targets + theirs * _next(targets)) / total  # 0 / 0 is NaN
    return mixed, total


def _next(rows: tf.Tensor) -> tf.Tensor:
    """Returns the row after each, and for the last row the first."""
    return tf.roll(rows, shift=-1, axis=0)
