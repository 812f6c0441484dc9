"""The splits that are meant of a dataset, as in "cifar10?train=train[:80%]&test=train[80%:]"."""

from collections.abc import Mapping

from tfxfer.data.split_names import SPLITS
from tfxfer.errors import UsageError, did_you_mean


def slices_of(name: str, query: str) -> dict[str, str]:
    """Returns the slice for each split, from the part of the name after '?'.

    Raises:
        UsageError: It says something else.

    Examples:
        >>> slices_of("cifar10", "train=train[:80%]&validation=train[80%:]")
        {'train': 'train[:80%]', 'validation': 'train[80%:]'}
    """
    slices: dict[str, str] = {}
    for part in query.split("&") if query else ():
        split, equals, meant = part.partition("=")
        if split not in SPLITS or not equals or not meant:
            raise UsageError(
                f"Cannot read '{part}' after '{name}?'; expected SPLIT=SLICE, as in "
                f"'{name}?train=train[:80%]&validation=train[80%:]'."
                f"{did_you_mean(split, SPLITS)}"
            )
        slices[split] = meant
    return slices


def refuse_slices(name: str, slices: Mapping[str, str]) -> None:
    """Raises a UsageError if there are slices of data that are not of such a library."""
    if slices:
        raise UsageError(
            f"'{name}' is not a TFDS or Hugging Face dataset; only their splits can be chosen with "
            "'?'."
        )


def query_of(slices: Mapping[str, str]) -> str:
    """Returns what stands behind the name of data where other splits are meant than its own."""
    return "?" + "&".join(f"{split}={part}" for split, part in slices.items()) if slices else ""
