"""The loss of each image, and whether losses differ by more than noise."""

import numpy as np
import numpy.typing as npt

from tfxfer.data.contents import Integers
from tfxfer.data.labels.targets import Labels
from tfxfer.models.objectives import Objective
from tfxfer.training.examples import Floats

Losses = npt.NDArray[np.float64]

# So many standard errors are more than noise.
_STANDARD_ERRORS = 2.0


def losses_of(outputs: Floats, labels: Labels, objective: Objective) -> Losses:
    """Returns the loss of each image, summed over its labels, (num_examples,).

    Args:
        outputs: Probabilities or numbers, (num_examples, num_classes).
        labels: Of any kind.
        objective: What the outputs were trained for.
    """
    losses = np.asarray(objective.probability_losses(outputs, labels), np.float64)
    summed: Losses = losses.reshape(len(losses), -1).sum(axis=1)
    return summed


def is_above_noise(differences: Losses, units: Integers) -> bool:
    """Tells whether differences of losses are above 0 by more than two standard errors.

    Args:
        differences: Of each image, (num_examples,).
        units: What each cannot be separated from; see `Labeled`.

    Examples:
        >>> import numpy as np
        >>> higher = np.array([0.5, 0.4, 0.6, 0.5])
        >>> is_above_noise(higher, np.arange(4)), is_above_noise(higher - 0.5, np.arange(4))
        (True, False)
    """
    by_unit = np.bincount(np.unique(units, return_inverse=True)[1], differences)
    error = by_unit.std() * len(by_unit) ** 0.5
    return bool(by_unit.sum() > _STANDARD_ERRORS * error)
