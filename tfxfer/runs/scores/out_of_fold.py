"""Out-of-fold predictions of a run, by the content of the images."""

import zipfile

import numpy as np
import numpy.typing as npt

from tfxfer.errors import UsageError
from tfxfer.system.digests import Ids
from tfxfer.system.files import replacing
from tfxfer.system.run_layout import RunDirectory


def write_predictions(
    run: RunDirectory, digests: Ids, probabilities: npt.NDArray[np.float32]
) -> None:
    """Writes `out_of_fold.npz`.

    Args:
        run: Where it is written.
        digests: Of the images, (num_images, 16).
        probabilities: Of each, by a model that was not trained on it, (num_images, num_classes).
    """
    with replacing(run.out_of_fold) as temporary, temporary.open("wb") as file:
        np.savez(file, digests=digests, probabilities=probabilities)


def read_predictions(run: RunDirectory) -> tuple[Ids, npt.NDArray[np.float32]]:
    """Returns what `write_predictions` wrote.

    Raises:
        UsageError: The file is missing or corrupt.
    """
    try:
        with np.load(run.out_of_fold) as content:
            return content["digests"], content["probabilities"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"Cannot read '{run.out_of_fold}': {error}.") from None
