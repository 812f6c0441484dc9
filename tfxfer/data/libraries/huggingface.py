"""Datasets of the Hugging Face `datasets` library, whatever they hold: splits, classes, labels."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.source import canonical
from tfxfer.data.split_names import SPLITS, splits_among
from tfxfer.errors import DataError, UsageError, did_you_mean

# The library takes seconds to import, and is optional: it is imported inside the functions.

PREFIX = "hf:"


def is_saved(path: pathlib.Path) -> bool:
    """Tells whether a directory is what `save_to_disk` of the library wrote."""
    return (path / "dataset_dict.json").is_file() or (
        (path / "state.json").is_file() and (path / "dataset_info.json").is_file()
    )


def load_splits(name: str) -> dict[str, Any]:
    """Returns the splits of a dataset by their names.

    Args:
        name: A directory that `save_to_disk` wrote, or `PREFIX` and the dataset's name on the hub,
            with a configuration after a colon.

    Raises:
        UsageError: There is no such dataset, or the library is not installed.
        DataError: It is not available locally and cannot be downloaded.
    """
    try:
        import datasets
    except ImportError:
        raise UsageError(
            f"'{name}' is a dataset of the Hugging Face library, which is not installed: "
            "pip install 'tfxfer[huggingface]'."
        ) from None
    if name.startswith(PREFIX):
        place, _, configuration = name.removeprefix(PREFIX).partition(":")
        try:
            loaded = datasets.load_dataset(place, configuration or None)
        except (ValueError, datasets.exceptions.DatasetNotFoundError) as error:
            raise UsageError(f"There is no dataset '{name}': {_first_line(error)}.") from error
        except OSError as error:  # which all failures of the network are
            raise DataError(
                f"The dataset '{name}' is not available locally and cannot be downloaded: "
                f'{_first_line(error)}. On a connected machine, run `python -c "import datasets; '
                f"datasets.load_dataset('{place}').save_to_disk('FOLDER')\"`, copy FOLDER here, "
                "and name it with --data."
            ) from error
    else:
        try:
            loaded = datasets.load_from_disk(name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"Cannot read the dataset in '{name}': {_first_line(error)}."
            ) from error
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def chosen_splits(
    name: str, loaded: Mapping[str, Any], slices: Mapping[str, str], needs_train: bool
) -> dict[str, Any]:
    """Returns the rows of "train", and of "validation" and "test" where there are such.

    Args:
        name: Of the dataset.
        loaded: Its splits.
        slices: The names of the splits that are meant, where they are not these.
        needs_train: Whether there must be a split to train on.

    Raises:
        UsageError: There is no training split, or a requested split is missing.
    """
    meant = {**splits_among(loaded), **slices}
    for chosen in (slices[split] for split in SPLITS if split in slices):
        if chosen not in loaded:
            raise UsageError(
                f"The dataset '{name}' has no split '{chosen}'; its splits are "
                f"{', '.join(loaded)}.{did_you_mean(chosen, loaded)}"
            )
    if not meant or (needs_train and "train" not in meant):
        raise UsageError(
            f"The dataset '{name}' has no split 'train'; its splits are {', '.join(loaded)}. "
            f"Choose one: '{name}?train={next(iter(loaded), 'SPLIT')}'."
        )
    return {split: loaded[meant[split]] for split in SPLITS if split in meant}


def class_names(name: str, rows: Any, label: str) -> tuple[str, ...]:
    """Returns the classes, in the order of their numbers or else of their names.

    Args:
        name: Of the dataset.
        rows: A split.
        label: The column of the labels, or of lists of them.

    Raises:
        UsageError: There are fewer than two.
    """
    declared = _declared(rows, label)
    values = [] if declared else flat(rows[label])
    found = {canonical(str(value)): str(value) for value in values if value is not None}
    names = declared or [found[key] for key in sorted(found)]
    if len(names) < 2:
        raise UsageError(f"The dataset '{name}' has 1 class; a classifier needs at least 2.")
    return tuple(names)


def labels_of(name: str, rows: Any, label: str, names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Returns the label of each row, (num_rows,); -1 where there is none.

    Raises:
        UsageError: A label does not occur in train.
    """
    return _numbered(name, rows[label], None if _declared(rows, label) else names)


def sequences_of(
    name: str, rows: Any, label: str, names: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns how many labels each row has, (num_rows,), and those of all rows, -1 if unknown.

    Raises:
        UsageError: A label does not occur in train.
    """
    lists = [[None] if value is None else value for value in rows[label]]
    lengths = np.array([len(value) for value in lists], np.int64)
    return lengths, _numbered(name, flat(lists), None if _declared(rows, label) else names)


def flat(values: Iterable[Any]) -> list[Any]:
    """Returns the items of lists, one list after the other; what is no list is an item.

    Examples:
        >>> flat([["cat", "dog"], [], "sun", None])
        ['cat', 'dog', 'sun', None]
    """
    parts = (value if isinstance(value, list) else [value] for value in values)
    return [item for part in parts for item in part]


def _declared(rows: Any, label: str) -> list[str] | None:
    """Returns the classes that a column, or the items of its lists, are declared to have."""
    feature = rows.features[label]
    return getattr(getattr(feature, "feature", feature), "names", None)


def _numbered(
    name: str, values: Sequence[Any], names: tuple[str, ...] | None
) -> npt.NDArray[np.int64]:
    """Returns the number of each class, (num_values,); -1 where there is none.

    Args:
        name: Of the dataset.
        values: Classes by number or, if there are names, by name.
        names: Of the classes.
    """
    number = {canonical(class_name): index for index, class_name in enumerate(names or ())}
    found = []
    for value in values:
        if value is None:
            found.append(-1)
        elif names is None:
            found.append(value)
        elif canonical(str(value)) in number:
            found.append(number[canonical(str(value))])
        else:
            raise UsageError(
                f"'{name}' has the label {str(value)!r}, which does not occur in train."
            )
    return np.array(found, np.int64)


def place_of(name: str) -> str:
    """Returns what opens a dataset again, from any directory."""
    path = pathlib.Path(name)
    return str(path.resolve()) if path.is_dir() else name


def title_of(name: str) -> str:
    """Returns what a dataset is called: the last part of its name."""
    return place_of(name).rsplit("/", 1)[-1].removeprefix(PREFIX)
