"""Which class was taken for which, and how often; only the pairs that occur are kept."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Confusion:
    """A confusion matrix without its zeros: of thousands of classes most cells are empty.

    Attributes:
        labels: The classes of the pairs, ascending, (num_pairs,): the rows.
        predicted: What they were taken for, ascending for each class, (num_pairs,): the columns.
        counts: How many examples, at least 1, (num_pairs,).
        num_classes: How many there are, also where some do not occur.
    """

    labels: Integers
    predicted: Integers
    counts: Integers
    num_classes: int

    @classmethod
    def of(cls, predicted: npt.ArrayLike, labels: npt.ArrayLike, num_classes: int) -> "Confusion":
        """Returns the confusion of examples.

        Args:
            predicted: Class indices, shape (num_examples,).
            labels: Likewise.
            num_classes: How many there are.
        """
        cells = np.asarray(labels, np.int64) * num_classes + np.asarray(predicted, np.int64)
        found, counts = np.unique(cells, return_counts=True)
        rows, columns = np.divmod(found, num_classes)
        return cls(rows, columns, counts.astype(np.int64), num_classes)

    @functools.cached_property
    def support(self) -> Integers:
        """How many examples are of each class, (num_classes,)."""
        return self._sums(self.labels)

    @functools.cached_property
    def taken(self) -> Integers:
        """How many examples were taken for each class, (num_classes,)."""
        return self._sums(self.predicted)

    @functools.cached_property
    def right(self) -> Integers:
        """How many of each class were taken for it, (num_classes,)."""
        found = np.zeros(self.num_classes, np.int64)
        hits = self.labels == self.predicted
        found[self.labels[hits]] = self.counts[hits]
        return found

    def mistakes(self) -> "Confusion":
        """Returns it without the hits."""
        return self._some(self.labels != self.predicted)

    def most_confused(self, limit: int) -> list[tuple[int, int, int]]:
        """Returns up to so many pairs of classes, (label, taken for, examples), the largest first.

        Of equal ones the first in the matrix comes first.
        """
        wrong = self.mistakes()
        order = np.argsort(-wrong.counts, kind="stable")[:limit]
        columns = (wrong.labels[order], wrong.predicted[order], wrong.counts[order])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def most_often_taken_for(self) -> dict[int, tuple[int, int]]:
        """Returns for each class that is ever mistaken for what most often, and how often.

        Of equal ones the first class wins.
        """
        wrong = self.mistakes()
        order = np.lexsort((wrong.predicted, -wrong.counts, wrong.labels))
        labels, first = np.unique(wrong.labels[order], return_index=True)
        chosen = order[first]
        others = zip(wrong.predicted[chosen].tolist(), wrong.counts[chosen].tolist(), strict=True)
        return dict(zip(labels.tolist(), others, strict=True))

    def classes_with_most_mistakes(self, limit: int) -> Integers:
        """Returns up to so many classes, ascending: all, or those that most mistakes are about."""
        wrong = self.mistakes()
        return np.sort(np.argsort(-(wrong.support + wrong.taken), kind="stable")[:limit])

    def dense(self) -> Integers:
        """Returns the whole matrix, (num_classes, num_classes)."""
        return self.among(np.arange(self.num_classes))

    def among(self, classes: Integers) -> Integers:
        """Returns the matrix of some classes, (len(classes), len(classes)), in their order."""
        place = np.full(self.num_classes, -1)
        place[classes] = np.arange(len(classes))
        rows, columns = place[self.labels], place[self.predicted]
        inside = (rows >= 0) & (columns >= 0)
        matrix = np.zeros((len(classes), len(classes)), np.int64)
        matrix[rows[inside], columns[inside]] = self.counts[inside]
        return matrix

    def _some(self, chosen: npt.NDArray[np.bool_]) -> "Confusion":
        labels, predicted = self.labels[chosen], self.predicted[chosen]
        return Confusion(labels, predicted, self.counts[chosen], self.num_classes)

    def _sums(self, classes: Integers) -> Integers:
        sums = np.zeros(self.num_classes, np.int64)
        np.add.at(sums, classes, self.counts)
        return sums
