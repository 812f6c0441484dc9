"""A coreset: a few rows that lie close to all others."""

import numpy as np
import numpy.typing as npt

# Distances are compared in so many random directions, which keep them nearly as they are (Johnson &
# Lindenstrauss 1984), as in PatchCore (Roth et al. 2022, arXiv:2106.08265).
_DIRECTIONS = 128


def coreset(rows: npt.NDArray[np.float32], count: int, seed: int) -> npt.NDArray[np.int64]:
    """Returns which rows to keep, ascending, (count,), or all if there are no more.

    Each one that is added is that furthest from all that are kept (k-center greedy, Sener &
    Savarese 2018, arXiv:1708.00489).

    Args:
        rows: Shape (num_rows, num_features).
        count: How many to keep.
        seed: Of the first one, and of the directions.

    Examples:
        >>> rows = np.array([[0, 0], [0, 1], [9, 0], [9, 1], [0, 90]], np.float32)
        >>> found = coreset(rows, 3, seed=0)
        >>> 4 in found, len(found)
        (True, 3)
    """
    if len(rows) <= count:
        return np.arange(len(rows))
    generator = np.random.default_rng(seed)
    if rows.shape[1] > _DIRECTIONS:
        directions = generator.normal(size=(rows.shape[1], _DIRECTIONS)) / np.sqrt(_DIRECTIONS)
        rows = rows @ directions.astype(np.float32)
    squares = np.einsum("ij,ij->i", rows, rows)
    nearest = np.full(len(rows), np.inf, np.float32)
    chosen = [int(generator.integers(len(rows)))]
    while len(chosen) < count:
        last = chosen[-1]
        nearest = np.minimum(nearest, squares - 2 * (rows @ rows[last]) + squares[last])
        nearest[last] = -np.inf
        chosen.append(int(nearest.argmax()))
    return np.sort(np.array(chosen, np.int64))
