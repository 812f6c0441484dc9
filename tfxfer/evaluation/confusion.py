"""A sparse confusion matrix: only the pairs of classes that occur are stored."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Confusion:
    """A confusion matrix in sparse form: with thousands of classes most cells are zero.

    Rows are true classes, columns are predicted classes. Cells are in the order of the matrix, row
    by row.

    Attributes:
        y_true: True class of each cell that is not zero, shape (num_cells,).
        y_pred: Predicted class of each cell, shape (num_cells,).
        counts: Number of examples of each cell, at least 1, shape (num_cells,).
        num_classes: Number of classes, including those that do not occur.
    """

    y_true: Integers
    y_pred: Integers
    counts: Integers
    num_classes: int

    @classmethod
    def from_predictions(
        cls, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, num_classes: int
    ) -> "Confusion":
        """Counts the pairs of true and predicted class.

        Args:
            y_true: True class indices, shape (num_examples,).
            y_pred: Predicted class indices, shape (num_examples,).
            num_classes: Number of classes.

        Examples:
            >>> confusion = Confusion.from_predictions([0, 0, 1], [0, 1, 1], num_classes=2)
            >>> confusion.dense()
            array([[1, 1],
                   [0, 1]])
        """
        cells = np.asarray(y_true, np.int64) * num_classes + np.asarray(y_pred, np.int64)
        found, counts = np.unique(cells, return_counts=True)
        rows, columns = np.divmod(found, num_classes)
        return cls(rows, columns, counts.astype(np.int64), num_classes)

    @functools.cached_property
    def support(self) -> Integers:
        """Number of examples of each class, shape (num_classes,)."""
        return self._sums(self.y_true)

    @functools.cached_property
    def num_predicted(self) -> Integers:
        """Number of examples predicted as each class, shape (num_classes,)."""
        return self._sums(self.y_pred)

    @functools.cached_property
    def num_correct(self) -> Integers:
        """Number of correct predictions of each class, shape (num_classes,)."""
        found = np.zeros(self.num_classes, np.int64)
        is_correct = self.y_true == self.y_pred
        found[self.y_true[is_correct]] = self.counts[is_correct]
        return found

    def mistakes(self) -> "Confusion":
        """Returns the matrix with a diagonal of zeros."""
        return self._cells(self.y_true != self.y_pred)

    def most_confused(self, limit: int) -> list[tuple[int, int, int]]:
        """Returns the largest cells off the diagonal as (true class, predicted class, examples).

        Largest first; on ties the first in the matrix wins.

        Args:
            limit: Maximum number of cells.
        """
        wrong = self.mistakes()
        order = np.argsort(-wrong.counts, kind="stable")[:limit]
        columns = (wrong.y_true[order], wrong.y_pred[order], wrong.counts[order])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def most_often_predicted_as(self) -> dict[int, tuple[int, int]]:
        """Returns for each class the most frequent wrong prediction, as (class, examples).

        Classes without mistakes are left out. On ties the first class wins.
        """
        wrong = self.mistakes()
        order = np.lexsort((wrong.y_pred, -wrong.counts, wrong.y_true))
        classes, first = np.unique(wrong.y_true[order], return_index=True)
        chosen = order[first]
        others = zip(wrong.y_pred[chosen].tolist(), wrong.counts[chosen].tolist(), strict=True)
        return dict(zip(classes.tolist(), others, strict=True))

    def classes_with_most_mistakes(self, limit: int) -> Integers:
        """Returns the classes involved in the most mistakes, in ascending order.

        A mistake involves both its true and its predicted class.

        Args:
            limit: Maximum number of classes.
        """
        wrong = self.mistakes()
        order = np.argsort(-(wrong.support + wrong.num_predicted), kind="stable")
        return np.sort(order[:limit])

    def dense(self) -> Integers:
        """Returns the whole matrix, shape (num_classes, num_classes)."""
        return self.among(np.arange(self.num_classes))

    def among(self, classes: Integers) -> Integers:
        """Returns the matrix of some classes, in their order.

        Args:
            classes: Class indices, shape (num_chosen,).

        Returns:
            Shape (num_chosen, num_chosen).
        """
        place = np.full(self.num_classes, -1)
        place[classes] = np.arange(len(classes))
        rows, columns = place[self.y_true], place[self.y_pred]
        inside = (rows >= 0) & (columns >= 0)
        matrix = np.zeros((len(classes), len(classes)), np.int64)
        matrix[rows[inside], columns[inside]] = self.counts[inside]
        return matrix

    def _cells(self, chosen: npt.NDArray[np.bool_]) -> "Confusion":
        y_true, y_pred = self.y_true[chosen], self.y_pred[chosen]
        return Confusion(y_true, y_pred, self.counts[chosen], self.num_classes)

    def _sums(self, classes: Integers) -> Integers:
        sums = np.zeros(self.num_classes, np.int64)
        np.add.at(sums, classes, self.counts)
        return sums
