"""What a model says of an image besides probabilities: is it unknown, which classes may it have?

An image is unknown if it is further from the training images than nearly all images like them: the
score is the distance of its features to the k-th nearest (Sun et al. 2022, arXiv:2204.06507). A
prediction set has all classes of at least a probability, that of the least ambiguous set-valued
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
        score: Cosine distance to the k-th nearest training image, in [0, 2], (num_images,).
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
        rows: Features of length 1, (num_kept, num_features).
        record: The limits.
    """

    rows: Floats
    record: CautionRecord

    def judge(self, features: Floats, probabilities: Floats) -> Judged:
        """Returns what is said of images.

        Args:
            features: The pooled features that the head takes, (num_images, num_features).
            probabilities: Shape (num_images, num_classes).
        """
        score = distances(features, self.rows, self.record.neighbor)
        least = np.float32(self.record.least_probability)
        return Judged(score, score > np.float32(self.record.threshold), probabilities >= least)

    def write(self, path: pathlib.Path) -> None:
        """Writes it as a .npz file."""
        told = json.dumps(dataclasses.asdict(self.record))
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, rows=self.rows, about=np.array(told))


def read_caution(path: pathlib.Path) -> Caution | None:
    """Returns what `Caution.write` wrote; None if there is no such file, or it is corrupt."""
    try:
        with path.open("rb") as file, np.load(file) as content:
            record = CautionRecord.of_json(json.loads(str(content["about"])))
            return Caution(content["rows"], record)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def unit_rows(features: Floats) -> Floats:
    """Returns features scaled to length 1, (num_images, num_features); zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def distances(features: Floats, rows: Floats, neighbor: int) -> Floats:
    """Returns the cosine distance to the k-th nearest of some rows, (num_images,).

    Args:
        features: Shape (num_images, num_features).
        rows: Features of length 1, (num_rows, num_features).
        neighbor: k, from 1 to `num_rows`.

    Examples:
        >>> rows = np.eye(3, dtype=np.float32)
        >>> distances(np.array([[2, 0, 0], [0, 3, 4]], np.float32), rows, 2).round(4)
        array([1. , 0.4], dtype=float32)
    """
    similar = unit_rows(features) @ rows.T
    return np.asarray(1 - np.partition(similar, -neighbor, axis=1)[:, -neighbor], np.float32)
