"""The learning curve of the head: its accuracy on parts of the images, and on more of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.data.carving import deal
from tfxfer.data.contents import Integers
from tfxfer.ranking.cross_validation import fitted_head
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.system.digests import ids_of
from tfxfer.system.progress import Progress
from tfxfer.training.examples import Floats

Doubles = npt.NDArray[np.float64]

# The parts of the training images, in eighths, besides all of them.
_EIGHTHS = (1, 2, 4)

# Draws of each part, for each fold.
_DRAWS = 3

# How far the curve is extrapolated, in times the images. Power laws fitted to small parts are
# wrong by several points beyond (Mahmood et al. 2022, arXiv:2207.01725, section 4).
MULTIPLES = (2, 4)

# Exponents that are tried. Published ones of image classification are 0.1 to 0.5 (Hestness et al.
# 2017, arXiv:1712.00409, section 5).
_EXPONENTS = np.linspace(0.0, 1.5, 61)

_SAMPLES = 1000

_INTERVAL = (2.5, 50.0, 97.5)


@dataclass(frozen=True)
class Prediction:
    """The accuracy of the head with more images.

    Attributes:
        num_images: Number of training images.
        accuracy: Median of the prediction.
        interval: 95% interval.
    """

    num_images: int
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class LearningCurve:
    """Accuracies of the head by the number of its training images.

    Attributes:
        num_images: Number of training images of each part, ascending; the last is of all.
        accuracies: Mean accuracy on held-out images of heads trained on each part.
        predictions: The accuracies with more images, the fewest first.
    """

    num_images: tuple[int, ...]
    accuracies: tuple[float, ...]
    predictions: tuple[Prediction, ...]


def learning_curve(
    features: Floats, labeled: Labeled, is_correct: npt.NDArray[np.bool_], seed: int
) -> LearningCurve | None:
    """Returns the learning curve of the head; None if there are too few images for one.

    For each fold, heads are trained on an eighth, a quarter and half of the other images, several
    draws of each, and predict the fold. All of the images are those of the ranking.

    Args:
        features: Shape (num_examples, num_features).
        labeled: Labels and folds.
        is_correct: Whether the cross-validated head predicts each image correctly.
        seed: Seed of the draws and of the bootstrap.
    """
    num_train = len(labeled.labels) * (1 - 1 / labeled.num_folds)
    parts = [part for part in _EIGHTHS if part / 8 * num_train >= 3 * labeled.num_classes]
    if len(parts) < 2:
        return None
    shares = [_shares(features, labeled, part, seed) for part in parts]
    shares.append(is_correct.astype(np.float64))
    sizes = [round(part / 8 * num_train) for part in (*parts, 8)]
    return LearningCurve(
        tuple(sizes),
        tuple(float(share.mean()) for share in shares),
        extrapolated(sizes, np.array(shares), labeled.units, seed),
    )


def _shares(features: Floats, labeled: Labeled, eighths: int, seed: int) -> Doubles:
    """Returns how often each image is predicted correctly by heads trained on a part."""
    folds, count = np.unique(labeled.folds), 0
    correct = np.zeros(len(labeled.labels))
    keys = ids_of((str(unit).encode(),) for unit in labeled.units)
    with Progress(f"heads on {eighths}/8 of the images", len(folds) * _DRAWS) as progress:
        for fold in folds:
            held_out, others = labeled.folds == fold, np.flatnonzero(labeled.folds != fold)
            for draw in range(_DRAWS):
                stream = (seed, int(fold), draw)
                eighth = deal(labeled.labels[others], keys[others], 8, stream)
                part = others[eighth < eighths]
                inner = deal(labeled.labels[part], keys[part], 4, stream)
                train, validation = part[inner > 0], part[inner == 0]
                head = fitted_head(
                    (features[train], labeled.labels[train]),
                    (features[validation], labeled.labels[validation]),
                    labeled.num_outputs,
                    labeled.objective,
                )
                found = head(features[held_out]).argmax(axis=1)
                correct[held_out] += found == labeled.labels[held_out]
                count += 1
                progress.update(count)
    return correct / _DRAWS


def extrapolated(
    sizes: Sequence[int], shares: Doubles, units: Integers, seed: int
) -> tuple[Prediction, ...]:
    """Returns the accuracies with more images, by power laws of the error.

    The error with n images is a + b * n**-c. Bootstrap samples of the images give the interval;
    half of them have a = 0, as few points do not tell whether the error ends at zero.

    Args:
        sizes: Number of training images of each part, ascending.
        shares: How often each image is predicted correctly, in [0, 1], by the heads trained on each
            part, shape (num_parts, num_examples).
        units: See `Labeled`.
        seed: Seed of the bootstrap.
    """
    errors = _bootstrapped(1 - shares, units, seed)
    scale = np.array(sizes) / sizes[-1]
    more = np.array(MULTIPLES, np.float64)
    half = len(errors) // 2
    found = np.concatenate(
        [
            _power_law(scale, errors[:half], more, True),
            _power_law(scale, errors[half:], more, False),
        ]
    )
    low, middle, high = np.percentile(found, _INTERVAL, axis=0)
    return tuple(
        Prediction(
            multiple * sizes[-1], float(1 - middle[i]), (float(1 - high[i]), float(1 - low[i]))
        )
        for i, multiple in enumerate(MULTIPLES)
    )


def _bootstrapped(errors: Doubles, units: Integers, seed: int) -> Doubles:
    """Returns the mean error of each part in samples of the units, (num_samples, num_parts)."""
    index = np.unique(units, return_inverse=True)[1]
    sizes = np.append(np.bincount(index), 1)
    # One more image, half wrong: without it the interval vanishes where there are no errors.
    totals = np.stack([np.append(np.bincount(index, weights=row), 0.5) for row in errors])
    generator = np.random.default_rng(seed)
    found = np.empty((_SAMPLES, len(errors)))
    for sample in found:
        drawn = generator.integers(len(sizes), size=len(sizes))
        sample[:] = totals[:, drawn].sum(axis=1) / sizes[drawn].sum()
    return found


def _power_law(sizes: Doubles, errors: Doubles, more: Doubles, with_limit: bool) -> Doubles:
    """Returns the errors that power laws predict, (num_samples, num_predictions).

    Args:
        sizes: Training images of each part, shape (num_parts,).
        errors: Of each part, shape (num_samples, num_parts).
        more: The sizes to predict the error for.
        with_limit: Whether the error may end above zero.
    """
    best = np.full(len(errors), np.inf)
    found = np.zeros((len(errors), len(more)))
    mean = errors.mean(axis=1)
    for exponent in _EXPONENTS:
        curve = sizes**-exponent
        factor = np.maximum(errors @ curve / (curve @ curve), 0.0)
        limit = np.zeros(len(errors))
        if with_limit and exponent:
            centered = curve - curve.mean()
            slope = np.maximum(errors @ centered / (centered @ centered), 0.0)
            ends = mean - slope * curve.mean()
            factor, limit = np.where(ends > 0, slope, factor), np.maximum(ends, 0.0)
        rest = np.sum(np.square(errors - limit[:, None] - factor[:, None] * curve), axis=1)
        better = rest < best
        best = np.where(better, rest, best)
        predicted_errors = limit[:, None] + factor[:, None] * more**-exponent
        found[better] = np.clip(predicted_errors[better], 0.0, 1.0)
    return found
