"""Names what was found in features: images, classes and splits by their names."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfxfer.curation.gallery import Gallery
from tfxfer.curation.near_copies import NearGroup
from tfxfer.curation.outliers import Outliers
from tfxfer.curation.shift import Shift
from tfxfer.curation.suspects import Judged
from tfxfer.data.checks.by_features import NearCopies, Outlier, SplitShift, SuspectLabel


class Naming:
    """Turns numbers of images, classes and splits into their names.

    Args:
        gallery: The images that were examined.
        class_names: The names of the classes.
        split_names: The names of the splits, by their numbers.
        path_of: Returns the id of an image by its number in the gallery.
    """

    def __init__(
        self,
        gallery: Gallery,
        class_names: Sequence[str],
        split_names: Sequence[str],
        path_of: Callable[[int], str],
    ) -> None:
        self.class_names = class_names
        self._gallery, self._split_names, self._path_of = gallery, split_names, path_of

    def suspects(self, judged: Judged) -> tuple[SuspectLabel, ...]:
        """Returns the labels that look wrong."""
        return tuple(
            SuspectLabel(
                path=self._path(image),
                given=self._class(image),
                suggested=self.class_names[judged.suggested[image]],
                score=float(judged.scores[image]),
            )
            for image in judged.suspects
        )

    def near_copies(self, group: NearGroup) -> NearCopies:
        """Returns a group of near copies."""
        members = group.members
        return NearCopies(
            paths=tuple(map(self._path, members)),
            splits=tuple(self._split_names[self._gallery.splits[image]] for image in members),
            classes=tuple(map(self._class, members)),
            distance=group.closeness if np.isfinite(group.closeness) else None,
        )

    def outliers(self, found: Outliers) -> tuple[Outlier, ...]:
        """Returns the outliers."""
        return tuple(
            Outlier(self._path(image), self._class(image), float(excess))
            for image, excess in zip(found.images, found.excess, strict=True)
        )

    def shifts(self, found: Sequence[Shift]) -> tuple[SplitShift, ...]:
        """Returns the shift of each split, with the classes that only one of two has."""
        by_split = {one.splits[1]: one for one in found}
        numbers = np.unique(self._gallery.splits)
        shifts = []
        for other in numbers[1:]:
            pair = (numbers[0], other)
            there = [set(self._gallery.labels[self._gallery.splits == one]) for one in pair]
            only = [sorted(there[0] - there[1]), sorted(there[1] - there[0])]
            shift = by_split.get(int(other))
            shifts.append(
                SplitShift(
                    splits=(self._split_names[pair[0]], self._split_names[pair[1]]),
                    auroc=None if shift is None else shift.auroc,
                    interval=None if shift is None else shift.interval,
                    only_in=(self._names(only[0]), self._names(only[1])),
                )
            )
        return tuple(shifts)

    def _path(self, image: int | np.integer[Any]) -> str:
        return self._path_of(int(image))

    def _class(self, image: int | np.integer[Any]) -> str:
        return self.class_names[int(self._gallery.labels[image])]

    def _names(self, labels: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.class_names[label] for label in labels)
