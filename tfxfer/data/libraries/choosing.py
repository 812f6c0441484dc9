"""Which features of a dataset are its labels: a class, several, tasks, or a number."""

from collections.abc import Sequence
from dataclasses import dataclass

from tfxfer.data.labels.kinds import MULTI_LABEL, MULTI_TASK, NUMERIC
from tfxfer.data.labels.reading import LabelReading
from tfxfer.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Features:
    """The features of a dataset that may be its labels, by their names.

    Attributes:
        name: Of the dataset.
        classes: Those with one class.
        sequences: Those with any number of classes.
        numbers: Those with a number.
        usual: The one that the dataset itself calls its label; None if there is none.
        described: All features with their types, for messages.
    """

    name: str
    classes: Sequence[str]
    sequences: Sequence[str]
    numbers: Sequence[str]
    usual: str | None
    described: str


@dataclass(frozen=True)
class Chosen:
    """The features that are the labels.

    Attributes:
        special: Their kind in one word; empty for one class per image.
        keys: Their names; several only of tasks.
    """

    special: str
    keys: tuple[str, ...]


def chosen_labels(features: Features, how: LabelReading) -> Chosen:
    """Returns the features that are the labels, as the settings ask or else as there is no doubt.

    Args:
        features: Of the dataset.
        how: How its labels are to be read.

    Raises:
        UsageError: There are no such features, or there is a doubt.
    """
    try:
        return _asked(features, how)
    except UsageError:
        if not how.is_preference:
            raise
    try:
        return _asked(features, LabelReading())
    except UsageError:  # labels come from elsewhere: any will do
        some = [*features.classes, *features.sequences]
        if not some:
            raise
        return Chosen("" if features.classes else MULTI_LABEL, (some[0],))


def _asked(features: Features, how: LabelReading) -> Chosen:
    """Returns the features that settings ask for; see `chosen_labels`."""
    if how.columns:
        raise UsageError(
            f"Setting 'label_columns' (--label-columns) names columns of a manifest, but "
            f"'{features.name}' is a dataset of a library. Leave it out; a feature with several "
            "labels is found by itself."
        )
    if how.tasks:
        _check_named(features, how.tasks, features.classes, "tasks", "with a class")
        return Chosen(MULTI_TASK, how.tasks)
    if how.target:
        _check_named(features, (how.target,), features.numbers, "target", "with a number")
        return Chosen(NUMERIC, (how.target,))
    singles, sequences = _candidates(features, how)
    if len(singles) == 1 and not sequences:
        return Chosen("", (singles[0],))
    if len(sequences) == 1 and not singles:
        return Chosen(MULTI_LABEL, (sequences[0],))
    raise UsageError(_doubt(features, singles, sequences))


def _candidates(features: Features, how: LabelReading) -> tuple[list[str], list[str]]:
    """Returns the features that may be the label: those with one class, and with several."""
    singles, sequences = list(features.classes), list(features.sequences)
    if how.kind == "auto" and features.usual is not None:
        singles, sequences = (
            [key for key in keys if key == features.usual] for keys in (singles, sequences)
        )
    if how.kind == "single":
        singles = [features.usual] if features.usual in singles else singles
        return [str(key) for key in singles], []
    if how.kind == "multi":
        sequences = [features.usual] if features.usual in sequences else sequences
        return [], [str(key) for key in sequences]
    return singles, sequences


def _check_named(
    features: Features, names: Sequence[str], known: Sequence[str], setting: str, what: str
) -> None:
    """Raises a UsageError if a name is not that of a feature of the kind that is meant."""
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise UsageError(
                f"Setting '{setting}' (--{setting}) names '{name}', but the features of the "
                f"dataset '{features.name}' {what} are: {there}.{did_you_mean(name, known)}"
            )


def _doubt(features: Features, singles: Sequence[str], sequences: Sequence[str]) -> str:
    """Returns why there is no label, or more than one."""
    start = f"The dataset '{features.name}'"
    if singles and sequences:
        return (
            f"{start} has one class per image in {_listed(singles)}, and any number of labels in "
            f"{_listed(sequences)}. Choose with --labels single or --labels multi."
        )
    if len(sequences) > 1:
        return (
            f"{start} has any number of labels per image in each of {_listed(sequences)}, which "
            "may mean either. Copy the dataset with one of them."
        )
    if len(singles) > 1:
        return (
            f"{start} has a class per image in each of {_listed(singles)}. Name those that one "
            f"model is to learn, with --tasks {','.join(singles)}, or copy the dataset with one of "
            "them."
        )
    message = (
        f"{start} does not map an image to a class, or to several; its features are "
        f"{features.described}."
    )
    if features.numbers:
        message += f" A number can be learned with --target {features.numbers[0]}."
    return message


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
