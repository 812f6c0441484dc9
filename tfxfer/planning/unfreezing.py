"""Gradual unfreezing: how the epochs of the finetune phase are divided among its stages."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Consecutive epochs of the finetune phase that train the same stages.

    Attributes:
        unfreeze: The first stage to train.
        first: Index of the first epoch, from 0.
        end: Index behind the last epoch.
    """

    unfreeze: str
    first: int
    end: int

    def has(self, epoch: int, step: int) -> bool:
        """Tells whether a checkpoint after some epochs, and steps of the next one, is of this part.

        One at the end of a part is of that part, not of the next: it has the optimizer's state.
        """
        if epoch == step == 0:
            return self.first == 0
        return self.first < epoch + (1 if step else 0) <= self.end


def gradual_parts(stages: Sequence[str], epochs: int) -> list[Part]:
    """Returns the parts of a phase that unfreezes stage by stage, from the last to the first.

    Each part trains one stage more than the one before (Howard & Ruder 2018, arXiv:1801.06146,
    section 3.3), or several if there are more stages than epochs. All have the same number of
    epochs; what is left over belongs to the last, which trains all stages.

    Args:
        stages: The stages to train, in the order of the network.
        epochs: Epochs of the phase, at least 1.

    Examples:
        >>> gradual_parts(["a", "b"], 5)
        [Part(unfreeze='b', first=0, end=2), Part(unfreeze='a', first=2, end=5)]
        >>> [part.unfreeze for part in gradual_parts(["a", "b", "c", "d", "e"], 2)]
        ['d', 'a']
    """
    count, length = min(len(stages), epochs), epochs // min(len(stages), epochs)
    parts = []
    for place in range(count):
        num_frozen = len(stages) - len(stages) * (place + 1) // count
        end = epochs if place + 1 == count else (place + 1) * length
        parts.append(Part(stages[num_frozen], place * length, end))
    return parts
