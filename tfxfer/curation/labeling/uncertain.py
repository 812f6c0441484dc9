"""Images that a model is uncertain of, far from each other, for when labels are many."""

import numpy as np
import numpy.typing as npt

from tfxfer.data.contents import Integers
from tfxfer.training.examples import Floats

# Of so many times as many images as asked for, those of the smallest margin, diverse ones are
# chosen (the factor of Zhdanov 2019, arXiv:1901.05954).
_CANDIDATES = 10


def margins_of(probabilities: Floats) -> npt.NDArray[np.float64]:
    """Returns the difference of the two highest probabilities, in [0, 1], (num_images,).

    Scheffer et al. 2001, "Active hidden Markov models for information extraction".

    Args:
        probabilities: Shape (num_images, num_classes), of at least two classes.
    """
    highest = np.partition(probabilities.astype(np.float64), -2, axis=1)[:, -2:]
    return np.asarray(highest[:, 1] - highest[:, 0])


def choose_uncertain(
    rows: Floats, margins: npt.NDArray[np.float64], count: int, seed: int
) -> Integers:
    """Returns which images to label next, (count,).

    The first has the smallest margin. Each other one is drawn as k-means++ draws its centers
    (Arthur & Vassilvitskii 2007; so does BADGE, Ash et al. 2020, arXiv:1906.03671): among those of
    the smallest margins, in proportion to the squared distance to the nearest that is chosen, and
    to the uncertainty, 1 - margin.

    Args:
        rows: Features of length 1, (num_images, num_features).
        margins: See `margins_of`, (num_images,).
        count: How many to choose; at most `num_images`.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    candidates = np.argsort(margins, kind="stable")[: _CANDIDATES * count]
    near, weights = rows[candidates], 1 - margins[candidates]
    squares = np.full(len(candidates), np.inf)
    is_free = np.ones(len(candidates), np.bool_)
    chosen: list[int] = []
    place = 0
    for _ in range(min(count, len(candidates))):
        chosen.append(place)
        is_free[place] = False
        squares = np.minimum(squares, np.maximum(2 - 2 * (near @ near[place]), 0))
        shares = squares * weights * is_free
        if not shares.any():  # what is left is the same image, or certain
            shares = is_free.astype(np.float64)
        if not shares.any():
            break
        place = int(generator.choice(len(shares), p=shares / shares.sum()))
    return candidates[np.array(chosen, np.int64)]
