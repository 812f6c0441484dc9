"""What a model says of an image besides probabilities: is it unknown, which classes may it have?

An image is unknown if it is further from the training images than nearly all images like them: the
score is the distance of its features to the k-th nearest (Sun et al. 2022, arXiv:2204.06507).
Features are standardized, where the paper scales them to length 1: with features that were not
trained on the data this tells far more (benchmarks/README.md).

A prediction set has all classes of at least a probability, that of the least ambiguous set-valued
classifier (Sadinle et al. 2019, arXiv:1609.00451).
"""

import dataclasses
import json
import pathlib
import zipfile
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.runs.scores.caution import CautionRecord
from tfxfer.system.files import replacing

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Judged:
    """What is said of some images.

    Attributes:
        score: Distance to the k-th nearest training image, at least 0, (num_images,).
        unknown: Whether each is unknown, (num_images,).
        in_set: Whether each class is in the prediction set, (num_images, num_classes). A set may be
            empty.
    """

    score: Floats
    unknown: npt.NDArray[np.bool_]
    in_set: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Caution:
    """The training features that are kept, and what was decided on them.

    Attributes:
        rows: Standardized features, (num_kept, num_features).
        mean: Of the features of training images, (num_features,).
        scale: Their standard deviation, (num_features,).
        record: The limits.
    """

    rows: Floats
    mean: Floats
    scale: Floats
    record: CautionRecord

    def scores(self, features: Floats) -> Floats:
        """Returns the distance of images to the k-th nearest training image, (num_images,)."""
        return distances((features - self.mean) / self.scale, self.rows, self.record.neighbor)

    def judge(self, features: Floats, probabilities: Floats) -> Judged:
        """Returns what is said of images.

        Args:
            features: The pooled features that the head takes, (num_images, num_features).
            probabilities: Shape (num_images, num_classes).
        """
        score = self.scores(features)
        least = np.float32(self.record.least_probability)
        return Judged(score, score > np.float32(self.record.threshold), probabilities >= least)

    def write(self, path: pathlib.Path) -> None:
        """Writes it as a .npz file."""
        told = json.dumps(dataclasses.asdict(self.record))
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, rows=self.rows, mean=self.mean, scale=self.scale, about=np.array(told))


def read_caution(path: pathlib.Path) -> Caution | None:
    """Returns what `Caution.write` wrote; None if there is no such file, or it is corrupt."""
    try:
        with path.open("rb") as file, np.load(file) as content:
            record = CautionRecord.of_json(json.loads(str(content["about"])))
            return Caution(content["rows"], content["mean"], content["scale"], record)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def distances(standardized: Floats, rows: Floats, neighbor: int) -> Floats:
    """Returns the distance to the k-th nearest of some rows, (num_images,).

    It is the root mean square difference of the features.

    Args:
        standardized: Features in standard deviations, (num_images, num_features).
        rows: The same of training images, (num_rows, num_features).
        neighbor: k, from 1 to `num_rows`.

    Examples:
        >>> rows = np.array([[0, 0], [2, 2], [3, 1]], np.float32)
        >>> distances(np.array([[0, 0], [3, 3]], np.float32), rows, 2).round(4)
        array([2.    , 1.4142], dtype=float32)
    """
    own = np.square(standardized).sum(axis=1, keepdims=True)
    squares = own + np.square(rows).sum(axis=1) - 2 * (standardized @ rows.T)
    nearest = np.partition(squares, neighbor - 1, axis=1)[:, neighbor - 1]
    return np.asarray(np.sqrt(np.maximum(nearest / rows.shape[1], 0)), np.float32)
