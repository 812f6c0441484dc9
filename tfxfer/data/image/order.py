"""The two numberings of the images of a split, as separate types.

An image has a *place* in its split, by which it is read, listed and reported, and a *number*, by
which it is trained on: a row of the decoded images, of labels, of features, of draws. `Order` is
the only way from one to the other.
"""

from typing import NewType, Self, TypeVar

import numpy as np
import numpy.typing as npt

from tfxfer.data.contents import canonical_order
from tfxfer.system.digests import Ids

# Of some examples, (num_examples,): where they are in their split.
Places = NewType("Places", npt.NDArray[np.int64])

# Of some images, (num_images,): their numbers.
Numbers = NewType("Numbers", npt.NDArray[np.int64])

# Of one image.
Number = NewType("Number", int)

Item = TypeVar("Item", bound=np.generic)


class Order:
    """The example of a split that each number stands for.

    Args:
        places: Of the images, by number: each place of the split once. None where the numbers are
            the places.
    """

    def __init__(self, places: Places | None = None) -> None:
        self._places = places

    @classmethod
    def of_content(cls, digests: Ids) -> Self:
        """Returns an order that depends only on the content of the images.

        Args:
            digests: Of the examples by their places.
        """
        return cls(Places(canonical_order(digests)))

    @property
    def is_that_of_the_split(self) -> bool:
        """Whether an image's number is its place."""
        return self._places is None

    def places(self, numbers: Numbers) -> Places:
        """Returns where the images of some numbers are in the split."""
        return Places(numbers) if self._places is None else Places(self._places[numbers])

    def numbers(self, places: Places) -> Numbers:
        """Returns the numbers of the images at some places of the split."""
        if self._places is None:
            return Numbers(places)
        numbers = np.empty_like(self._places)
        numbers[self._places] = np.arange(len(numbers))
        return Numbers(numbers[places])

    def by_number(self, rows: npt.NDArray[Item]) -> npt.NDArray[Item]:
        """Returns what there is of each example, by place, in the order of the numbers."""
        return rows if self._places is None else rows[self._places]
